// Uses the whole chat: sends, changes, pages, lists with cursors of dates, streams, resuming, retention and a deleted user.
// For databases and poolers that differ from the usual ones.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Db } from '../../src/storage/tables.ts';
import * as gql from '../gql/graphql.ts';
import { EventStream } from './event-stream.ts';
import { until } from './process.ts';
import { Guest, type Server } from './server.ts';
import { RawSocket } from './socket.ts';
import { range } from './storage.ts';

const roomEvents = 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename } }';
const page = `query ($roomId: ID!, $after: String) { node(id: $roomId) { ... on Room {
  messages(first: 2, after: $after) { nodes { body createdAt } pageInfo { endCursor hasNextPage } }
  members(first: 1) { nodes { joinedAt } pageInfo { endCursor } } } } }`;
const newest = `query ($after: String) { rooms(first: 1, orderBy: NEWEST, after: $after) {
  nodes { id createdAt } pageInfo { endCursor hasNextPage } } }`;

export async function useWholeChat({ app, url }: Server, db: Db = app.storage.db): Promise<void> {
  const [ada, bob] = [await Guest.signIn(url, 'Ada'), await Guest.signIn(url, 'Bob')];
  const roomId = await ada.createRoom();
  await bob.must(gql.JoinRoomDocument, { roomId });

  using socket = await RawSocket.signedIn(url, bob.token);
  socket.subscribe('1', roomEvents, { roomId });
  const events: string[] = [];
  const reading = (async () => {
    while (events.length < 4) events.push((await socket.next()).payload.data.roomEvents.__typename);
  })();
  await until('the subscription is live', () => events.includes('CaughtUp'));
  const { room } = await ada.must(gql.RoomViewDocument, { id: roomId });
  const began = Date.now();
  const { message } = await ada.send(roomId, 'Hello', 'a key');
  using stream = await EventStream.watch(bob, { roomId, after: room?.messages?.syncCursor as string });
  assert.equal((await stream.nextMessage()).body, 'Hello');
  assert.equal((await ada.send(roomId, 'Hello', 'a key')).message.id, message.id, 'a retry finds the first message');
  await ada.must(gql.EditMessageDocument, { messageId: message.id, body: 'Hello, Bob' });
  await ada.must(gql.DeleteMessageDocument, { messageId: message.id });
  await reading;
  assert.deepEqual(events, ['CaughtUp', 'MessageAdded', 'MessageEdited', 'MessageDeleted']);

  // Many at once, with and without a key, so that statements of all connections meet on the backends.
  await Promise.all(range(1, 20).flatMap((i) => [ada.send(roomId, `${i}`, `key ${i}`), bob.send(roomId, `${i}`)]));

  // Pages, by cursors. Times are those of this minute.
  let after: string | undefined;
  let bodies = 0;
  for (let more = true; more; ) {
    // biome-ignore lint/suspicious/noExplicitAny: the document is a plain string
    const { node } = await ada.must<any, any>(page, { roomId, after });
    for (const { createdAt } of node.messages.nodes) assert.ok(Math.abs(Date.parse(createdAt) - began) < 60_000, createdAt);
    assert.ok(Math.abs(Date.parse(node.members.nodes[0].joinedAt) - began) < 60_000);
    bodies += node.messages.nodes.length;
    after = node.messages.pageInfo.endCursor;
    more = node.messages.pageInfo.hasNextPage;
  }
  assert.ok(bodies >= 40, `${bodies} messages`);

  // A list that is sorted by dates, by cursors.
  await ada.createRoom({ name: 'Another' });
  await ada.createRoom({ kind: 'PRIVATE' as gql.RoomKind, name: 'Private' });
  const found: string[] = [];
  after = undefined;
  for (let more = true; more; ) {
    // biome-ignore lint/suspicious/noExplicitAny: the document is a plain string
    const { rooms }: { rooms: any } = await ada.must<any, any>(newest, { after });
    found.push(...rooms.nodes.map(({ id }: { id: string }) => id));
    after = rooms.pageInfo.endCursor;
    more = rooms.pageInfo.hasNextPage;
  }
  assert.equal(new Set(found).size, found.length);
  assert.ok(found.indexOf(roomId) >= 2, 'newest first');

  // Read markers, and what they leave unread. Bob has sent last, so that his marker follows.
  await app.senderMarkers.flush();
  const account = `{ viewer { unread { rooms messages } } rooms(filter: { unread: true }) { syncCursor nodes { id } } }`;
  // biome-ignore lint/suspicious/noExplicitAny: the documents are plain strings
  const read = (guest: Guest, mutation: string): Promise<any> => guest.must<any, any>(mutation);
  await read(bob, `mutation { markRoomUnread(input: { messageId: "${message.id}" }) { membership { id } } }`);
  const { viewer, rooms: unread } = await read(bob, account);
  assert.deepEqual([viewer.unread, unread.nodes], [{ rooms: 1, messages: 20 }, [{ id: roomId }]]);
  const upTo = room?.messages.syncCursor;
  await read(bob, `mutation { markRoomRead(input: { roomId: "${roomId}", upTo: "${upTo}" }) { membership { readThrough } } }`);
  await read(
    bob,
    `mutation { updateMembership(input: { roomId: "${roomId}", mutedUntil: "2100-01-01T00:00:00Z" }) { membership { id } } }`,
  );
  assert.equal((await read(bob, account)).viewer.unread.rooms, 0);
  assert.equal((await read(bob, 'mutation { markAllRead { unread { messages } } }')).markAllRead.unread.messages, 0);

  // Retention, years later; then a deleted user, who leaves by a trigger.
  await app.retention.clean(began + 365 * 86_400_000);
  const kept = await db
    .selectFrom('messages')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('body', 'is not', null)
    .executeTakeFirst();
  assert.equal(kept?.count, 0, 'retention removes every message');
  await db.deleteFrom('users').where('id', '=', bob.userId).execute();
  const members = await db.selectFrom('memberships').select('userId').where('roomId', '=', roomId).execute();
  assert.deepEqual(members, [{ userId: ada.userId }]);
}
