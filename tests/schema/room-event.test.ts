// What a stream delivers, when it ends, and what it shows to a viewer who has lost the right to the room.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, describe, it } from 'node:test';
import type { Context } from '../../src/schema/context.ts';
import { messageOf } from '../../src/schema/room-event.ts';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';
import { refuseEventStream, Watch } from '../support/watch.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url, 'Ada');
const bob = await Guest.signIn(server.url, 'Bob');

const headOf = async (guest: Guest, id: string) => (await guest.must(gql.RoomViewDocument, { id })).room?.messages.syncCursor as string;
const typesOf = (results: gql.RoomEventsSubscription[]) => results.map(({ roomEvents }) => roomEvents.__typename);
const remove = (roomId: string) => ada.must(gql.RemoveMemberDocument, { roomId, userId: bob.userId });
const add = (roomId: string) => ada.must(gql.AddMemberDocument, { roomId, userId: bob.userId });
const codeOf = async (watch: Watch<unknown>) => (await watch.ended)?.[0]?.extensions.code;

/** Sends messages, 20 at a time, because the server refuses sends that would wait for long. */
async function sendMany(roomId: string, count: number, body: string): Promise<void> {
  for (let sent = 0; sent < count; sent += 20) await Promise.all(Array.from({ length: 20 }, () => ada.send(roomId, body)));
}

/** Both streams of a room, after `start`, or after the head by default. */
async function watchBoth(guest: Guest, roomId: string, start?: string) {
  const variables = { roomId, after: start ?? (await headOf(guest, roomId)) };
  const [messages, events] = [new Watch(guest, gql.MessageAddedDocument, variables), new Watch(guest, gql.RoomEventsDocument, variables)];
  return {
    messages,
    events,
    async [Symbol.asyncDispose]() {
      await Promise.all([messages[Symbol.asyncDispose](), events[Symbol.asyncDispose]()]);
    },
  };
}

describe('a stream', () => {
  it('delivers every entry of the log in order, each with the cursor to resume after it', async () => {
    const roomId = await ada.createRoom();
    const start = await headOf(ada, roomId);
    await using live = new Watch(ada, gql.RoomEventsDocument, { roomId, after: start });
    assert.deepEqual(typesOf(await live.take(1)), ['CaughtUp']);
    const { message } = await ada.send(roomId, 'x');
    await ada.must(gql.EditMessageDocument, { messageId: message.id, body: 'y' });
    await bob.must(gql.JoinRoomDocument, { roomId });
    await ada.must(gql.UpdateRoomDocument, { input: { roomId, name: 'New' } });
    await ada.must(gql.DeleteMessageDocument, { messageId: message.id });
    await remove(roomId);
    const log = await server.app.storage.db.selectFrom('roomLog').selectAll().where('roomId', '=', roomId).orderBy('seq').execute();
    const events = (await live.take(log.length + 1)).slice(1).map(({ roomEvents }) => roomEvents);
    assert.deepEqual(
      events.map(({ __typename, at, roomId: of }) => [__typename, at, of]),
      log.map((entry) => [entry.type, entry.at.toISOString(), roomId]),
    );
    assert.equal(new Set(events.map(({ cursor }) => cursor)).size, log.length);
    for (const [index, { cursor }] of events.entries()) {
      await using resumed = new Watch(ada, gql.RoomEventsDocument, { roomId, after: cursor });
      const rest = events.slice(index + 1).map((event) => event.__typename);
      assert.deepEqual(typesOf(await resumed.take(rest.length + 1)), [...rest, 'CaughtUp']);
    }
  });

  it('without after delivers CaughtUp first, and then only new entries', async () => {
    const roomId = await ada.createRoom();
    await ada.send(roomId, 'before');
    await using watch = new Watch(ada, gql.RoomEventsDocument, { roomId });
    const [caughtUp] = await watch.take(1);
    assert.equal(caughtUp?.roomEvents.__typename, 'CaughtUp');
    assert.equal(caughtUp?.roomEvents.cursor, await headOf(ada, roomId));
    const { message } = await ada.send(roomId, 'after');
    const [, added] = (await watch.take(2)).map(({ roomEvents }) => roomEvents);
    assert.equal(added?.__typename === 'MessageAdded' && added.message.id, message.id);
    assert.equal(added?.cursor, message.cursor);
  });

  it('shows a message as it is when it is delivered', async () => {
    const roomId = await ada.createRoom();
    const start = await headOf(ada, roomId);
    const { message } = await ada.send(roomId, 'first');
    await ada.must(gql.EditMessageDocument, { messageId: message.id, body: 'second' });
    await ada.must(gql.DeleteMessageDocument, { messageId: message.id });
    await using watch = await watchBoth(ada, roomId, start);
    const [added, edited, deleted] = (await watch.events.take(4)).map(({ roomEvents }) => roomEvents);
    assert.equal(added?.__typename === 'MessageAdded' && added.message.body, null);
    assert.equal(edited?.__typename === 'MessageEdited' && edited.message.body, null);
    assert.equal(deleted?.__typename === 'MessageDeleted' && deleted.message.deletionReason, 'BY_SENDER');
    const [only] = await watch.messages.take(1);
    assert.deepEqual([only?.messageAdded.id, only?.messageAdded.number, only?.messageAdded.body], [message.id, 1, null]);
  });

  // A lagging standby has the message without the edit, or a rollback has taken the edit away.
  it('does not show a message whose row is older than the entry', async () => {
    const roomId = await ada.createRoom();
    const { message } = await ada.send(roomId, 'old');
    const { storage } = server.app;
    const [row] = await storage.rows.messages([message.id]);
    assert.ok(row);
    const edited = {
      type: 'MessageEdited',
      messageId: row.id,
      roomId,
      seq: row.changedSeq + 1,
      tag: 1,
      previousTag: row.tag,
      at: new Date(),
    } as const;
    await assert.rejects(messageOf(edited, {}, { storage } as Context), { code: 'UNAVAILABLE' });
  });

  it('has a null membership for a user who joined and has left since', async () => {
    const roomId = await ada.createRoom();
    const start = await headOf(ada, roomId);
    await bob.must(gql.JoinRoomDocument, { roomId });
    await bob.must(gql.LeaveRoomDocument, { roomId });
    await using watch = new Watch(ada, gql.RoomEventsDocument, { roomId, after: start });
    const [joined] = (await watch.take(4)).map(({ roomEvents }) => roomEvents);
    assert.deepEqual(joined?.__typename === 'MemberJoined' && [joined.userId, joined.membership], [bob.userId, null]);
  });
});

describe('the same operation of two viewers', () => {
  it('gives each viewer their own values', async () => {
    const roomId = (await ada.must(gql.OpenDirectRoomDocument, { input: { userId: bob.userId, subject: 'two viewers' } })).openDirectRoom
      ?.room.id as string;
    const query =
      'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { room { peer { name } viewerMembership { user { name } } } } }';
    await using ofAda = new Watch(ada, query, { roomId });
    await using ofBob = new Watch(bob, query, { roomId });
    await Promise.all([ofAda.take(1), ofBob.take(1)]);
    for (let i = 0; i < 5; i += 1) await ada.send(roomId, 'x');
    const seenBy = (name: string, peer: string) =>
      Array(6).fill({ roomEvents: { room: { peer: { name: peer }, viewerMembership: { user: { name } } } } });
    assert.deepEqual(await ofAda.take(6), seenBy('Ada', 'Bob'));
    assert.deepEqual(await ofBob.take(6), seenBy('Bob', 'Ada'));
  });
});

describe('a stream of a removed member', () => {
  it('in a PRIVATE room completes after MemberLeft, and delivers nothing after it', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    await using watch = await watchBoth(bob, roomId);
    await watch.events.take(1);
    await ada.send(roomId, 'the last for Bob');
    await remove(roomId);
    await ada.send(roomId, 'not for Bob');
    assert.deepEqual([await codeOf(watch.events), await codeOf(watch.messages)], [undefined, undefined]);
    assert.deepEqual(typesOf(watch.events.results), ['CaughtUp', 'MessageAdded', 'MessageAdded', 'MemberLeft']);
    assert.deepEqual(
      watch.messages.results.map(({ messageAdded }) => messageAdded.kind),
      ['TALK', 'LEAVE'],
    );
  });

  it('in a PRIVATE room completes at the same entry if it lags', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    const start = await headOf(bob, roomId);
    // So many that the stream still lags when the removal is written.
    await sendMany(roomId, 300, 'x');
    await using watch = await watchBoth(bob, roomId, start);
    await watch.messages.take(1);
    await remove(roomId);
    await ada.send(roomId, 'not for Bob');
    assert.deepEqual([await codeOf(watch.events), await codeOf(watch.messages)], [undefined, undefined]);
    assert.equal(watch.messages.results.length, 301);
    assert.equal(watch.messages.results.at(-1)?.messageAdded.kind, 'LEAVE');
    assert.equal(watch.events.results.at(-1)?.roomEvents.__typename, 'MemberLeft');
    assert.equal(JSON.stringify(watch.events.results).includes('not for Bob'), false);
  });

  it('in an OPEN room continues', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId] });
    await using watch = await watchBoth(bob, roomId);
    await watch.events.take(1);
    await remove(roomId);
    await ada.send(roomId, 'for all');
    assert.deepEqual(typesOf(await watch.events.take(4)), ['CaughtUp', 'MessageAdded', 'MemberLeft', 'MessageAdded']);
    assert.equal((await watch.messages.take(2))[1]?.messageAdded.body, 'for all');
  });

  it('completes, but those of other members continue', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    await using watch = await watchBoth(ada, roomId);
    await watch.events.take(1);
    await remove(roomId);
    await ada.send(roomId, 'goes on');
    assert.deepEqual(typesOf(await watch.events.take(4)), ['CaughtUp', 'MessageAdded', 'MemberLeft', 'MessageAdded']);
  });

  it('is NOT_FOUND when it resumes, and the old cursor is valid again after the member is added again', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    const start = await headOf(bob, roomId);
    await ada.send(roomId, '1');
    await remove(roomId);
    await ada.send(roomId, '2');
    {
      await using refused = await watchBoth(bob, roomId, start);
      assert.deepEqual([await codeOf(refused.events), await codeOf(refused.messages)], ['NOT_FOUND', 'NOT_FOUND']);
    }
    await add(roomId);
    await using resumed = await watchBoth(bob, roomId, start);
    await ada.send(roomId, '3');
    assert.deepEqual(
      (await resumed.messages.take(5)).map(({ messageAdded }) => messageAdded.body ?? messageAdded.kind),
      ['1', 'LEAVE', '2', 'ENTER', '3'],
    );
    const types = ['MessageAdded', 'MessageAdded', 'MemberLeft', 'MessageAdded', 'MemberJoined', 'MessageAdded'];
    assert.deepEqual(
      typesOf(await resumed.events.take(8)).filter((type) => type !== 'CaughtUp'),
      [...types, 'MessageAdded'],
    );
    // A second removal also ends the stream.
    await remove(roomId);
    assert.deepEqual([await codeOf(resumed.events), await codeOf(resumed.messages)], [undefined, undefined]);
  });

  it('shows neither the room nor later changes of a message', async () => {
    const roomId = await ada.createRoom({ name: 'A secret name', kind: 'PRIVATE', memberIds: [bob.userId] });
    // More than the socket buffers hold, so that the server is still sending when Bob is removed.
    const copies = Array.from({ length: 12 }, (_, i) => `copy${i}: body`).join(' ');
    const start = await headOf(bob, roomId);
    await sendMany(roomId, 200, '漢'.repeat(4000));
    const { message } = await ada.send(roomId, 'original');
    const query = `subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) {
      __typename room { name } ... on MessageAdded { message { id body ${copies} room { id name memberCount lastMessage { body } } } } } }`;
    const request = httpRequest(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${bob.token}` },
    });
    request.end(JSON.stringify({ query, variables: { roomId, after: start } }));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await remove(roomId);
    await ada.must(gql.EditMessageDocument, { messageId: message.id, body: 'A secret word' });
    response.setEncoding('utf8');
    const results = (await response.toArray()).join('').matchAll(/^event: next\n.*\ndata: (.*)$/gm);
    const events = [...results].map(([, json]) => (JSON.parse(json as string) as { data: { roomEvents: object } }).data.roomEvents);
    assert.equal(events.length, 203);
    const [original, left, memberLeft] = events.slice(-3) as [MessageEvent, MessageEvent, object];
    const withheld = { id: roomId, name: '', memberCount: 0, lastMessage: null };
    assert.deepEqual(
      [original.room, original.message.id, original.message.body, original.message.room],
      [null, message.id, null, withheld],
    );
    assert.deepEqual([left.room, left.message.room], [null, withheld]);
    assert.deepEqual(memberLeft, { __typename: 'MemberLeft', room: null });
  });
});

interface MessageEvent {
  readonly room: object | null;
  readonly message: { id: string; body: string | null; room: object };
}

describe('the streams of a room that is deleted', () => {
  for (const kind of ['OPEN', 'PRIVATE', 'DIRECT'] as const) {
    it(`and was ${kind} complete after RoomDeleted, and are NOT_FOUND when they resume`, async () => {
      const roomId =
        kind === 'DIRECT'
          ? ((await ada.must(gql.OpenDirectRoomDocument, { input: { userId: bob.userId } })).openDirectRoom?.room.id as string)
          : await ada.createRoom({ kind, memberIds: [bob.userId] });
      const { message } = await ada.send(roomId, 'before');
      await using ofAda = await watchBoth(ada, roomId);
      await using ofBob = await watchBoth(bob, roomId);
      await Promise.all([ofAda.events.take(1), ofBob.events.take(1)]);
      await ada.must(gql.DeleteRoomDocument, { roomId });
      for (const { events, messages } of [ofAda, ofBob]) {
        assert.deepEqual([await codeOf(events), await codeOf(messages)], [undefined, undefined]);
        assert.deepEqual(typesOf(events.results), ['CaughtUp', 'RoomDeleted']);
        assert.deepEqual(messages.results, []);
      }
      for (const cursor of [message.cursor, ofBob.events.results[1]?.roomEvents.cursor as string]) {
        await using resumed = await watchBoth(bob, roomId, cursor);
        assert.deepEqual([await codeOf(resumed.events), await codeOf(resumed.messages)], ['NOT_FOUND', 'NOT_FOUND']);
        const query = 'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { cursor } }';
        assert.equal((await refuseEventStream(server.url, bob.token, query, { roomId, after: cursor })).status, 404);
      }
    });
  }

  it('because its last member left complete after MemberLeft', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE' });
    await using watch = await watchBoth(ada, roomId);
    await watch.events.take(1);
    await ada.must(gql.LeaveRoomDocument, { roomId });
    assert.deepEqual([await codeOf(watch.events), await codeOf(watch.messages)], [undefined, undefined]);
    assert.deepEqual(typesOf(watch.events.results), ['CaughtUp', 'MessageAdded', 'MemberLeft']);
  });
});
