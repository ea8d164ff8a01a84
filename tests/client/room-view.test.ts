// A view that starts with a page and applies every later event equals a new page, whatever happened in the room.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { print } from 'graphql';
import { errorCode } from '../../src/client/error-code.ts';
import { applyRoomEvent, type RoomView } from '../../src/client/room-view.ts';
import { lockRoom } from '../../src/storage/locked-room.ts';
import { trimRoom } from '../../src/storage/retention.ts';
import * as gql from '../gql/graphql.ts';
import { chooseSeed, pick, randomFrom, shuffle } from '../support/random.ts';
import { Guest, type Server, startServer } from '../support/server.ts';
import { range, readAll } from '../support/storage.ts';

type Snapshot = NonNullable<gql.RoomSnapshotQuery['room']>;
type Event = gql.RoomChangesSubscription['roomEvents'];
type Message = Snapshot['messages']['nodes'][number];
type Membership = Snapshot['members']['nodes'][number];
type View = RoomView<Omit<Snapshot, 'messages' | 'members'>, Message, Membership>;

async function openView(guest: Guest, id: string): Promise<View> {
  const { messages, members, ...room } = (await guest.must(gql.RoomSnapshotDocument, { id })).room as Snapshot;
  return { room, deleted: false, messages: messages.nodes, members: members.nodes, cursor: messages.syncCursor };
}

/** Applies every event since the view was opened. Undefined if the log no longer contains its cursor. */
async function catchUp(guest: Guest, roomId: string, view: View): Promise<View | undefined> {
  const client = guest.connect();
  let now = view;
  const events = client.iterate<gql.RoomChangesSubscription>({
    query: print(gql.RoomChangesDocument),
    variables: { roomId, after: view.cursor },
  });
  for await (const { data, errors } of events) {
    if (errors) {
      assert.equal(errorCode({ errors }), 'CURSOR_EXPIRED');
      return undefined;
    }
    now = applyRoomEvent(now, data?.roomEvents as Event);
    if (data?.roomEvents.__typename === 'CaughtUp') break;
  }
  await client.dispose();
  return now;
}

/**
 * Runs an action in a room by a user who may or may not be a member. A refused action changes nothing. Half of the edits and
 * deletions are by the sender of the message, who may do so.
 */
async function act(action: Action, people: readonly Guest[], roomId: string, view: View, n: number, server: Server): Promise<unknown> {
  const { id: message = 'message_0', sender } = view.messages[n % Math.max(1, view.messages.length)] ?? {};
  const anyone = people[n % people.length] as Guest;
  const actor = n % 2 === 0 && (action === 'edit' || action === 'delete') ? people.find(({ userId }) => userId === sender?.id) : anyone;
  const run = (mutation: string) => (actor ?? anyone).ask(`mutation { ${mutation} { __typename } }`);
  switch (action) {
    case 'send':
      return run(`sendMessage(input: { roomId: "${roomId}", body: "Message ${n}" })`);
    case 'edit':
      return run(`editMessage(input: { messageId: "${message}", body: "Edited ${n}" })`);
    case 'delete':
      return run(`deleteMessage(input: { messageId: "${message}" })`);
    case 'join':
      return run(`joinRoom(input: { roomId: "${roomId}" })`);
    case 'leave':
      return run(`leaveRoom(input: { roomId: "${roomId}" })`);
    case 'rename':
      return run(`updateRoom(input: { roomId: "${roomId}", name: "Name ${n}" })`);
    case 'trim': {
      const { db } = server.app.storage;
      const entries = await readAll(db, roomId);
      const cutoff = entries[n % 5]?.at ?? new Date(0);
      return db.transaction().execute(async (trx) => {
        const room = await lockRoom(trx, roomId);
        if (room) await trimRoom(room, cutoff);
      });
    }
    default:
      throw new Error(`Unknown action: ${action satisfies never}`);
  }
}

const actions = ['send', 'send', 'send', 'send', 'edit', 'edit', 'delete', 'join', 'join', 'leave', 'rename', 'trim'] as const;
type Action = (typeof actions)[number];

describe('applyRoomEvent', () => {
  it('keeps the view equal to a new page, over random histories', async () => {
    const seed = chooseSeed('views of a room');
    await using server = await startServer({ storage: 'PostgreSQL' });
    const people = await Promise.all(['Ada', 'Bob', 'Cai', 'Dee'].map((name) => Guest.signIn(server.url, name)));
    // Only reads.
    const eve = await Guest.signIn(server.url, 'Eve');
    const kinds = new Set<string>();
    let compared = 0;
    for (const history of range(1, 25)) {
      const random = randomFrom(seed + history);
      const some = <T>(items: readonly T[]) => pick(items, random);
      const roomId = await some(people).createRoom();
      const views: View[] = [];
      for (const step of range(1, 30)) {
        if (step % 10 === 1) views.push(await openView(eve, roomId));
        await act(some(actions), shuffle(people, random), roomId, views.at(-1) as View, Math.floor(random() * 100), server);
      }
      const truth = await openView(eve, roomId);
      for (const view of views) {
        const now = await catchUp(eve, roomId, view);
        if (!now) continue;
        compared += 1;
        assert.deepEqual(now, truth, `history ${history} of seed ${seed}`);
      }
      for (const { kind, deletedAt, editedAt } of truth.messages) kinds.add(deletedAt ? 'deleted' : editedAt ? 'edited' : kind);
      if ((truth.messages[0]?.number ?? 1) > 1) kinds.add('trimmed');
    }
    assert.ok(compared >= 25, `${compared} views`);
    assert.deepEqual([...kinds].toSorted(), ['ENTER', 'LEAVE', 'TALK', 'deleted', 'edited', 'trimmed']);
  });

  const view: View = {
    room: { id: 'room', name: 'Before' } as View['room'],
    deleted: false,
    messages: range(3, 5).map((number) => ({ id: `message ${number}`, number }) as Message),
    members: [],
    cursor: 'page',
  };

  it('takes only the cursor from an event of an unknown type', () => {
    const event = { __typename: 'PollOpened', cursor: 'next', poll: { id: 'poll' } };
    assert.deepEqual(applyRoomEvent(view, event), { ...view, cursor: 'next' });
  });

  it('does not change the view in place', () => {
    const frozen = structuredClone(view);
    applyRoomEvent(view, { __typename: 'MessageAdded', cursor: 'next', message: { id: 'message 6', number: 6 } as Message });
    applyRoomEvent(view, { __typename: 'HistoryTrimmed', cursor: 'next', throughNumber: 4 });
    assert.deepEqual(view, frozen);
  });

  it('replaces a message that is repeated, and ignores an edit of a message before the loaded ones', () => {
    const again = { ...(view.messages[1] as Message), body: 'Again' };
    const numbers = (event: Parameters<typeof applyRoomEvent<View['room'], Message, Membership>>[1]) =>
      applyRoomEvent(view, event).messages.map(({ number }) => number);
    assert.deepEqual(numbers({ __typename: 'MessageAdded', cursor: 'next', message: again }), [3, 4, 5]);
    assert.deepEqual(
      numbers({ __typename: 'MessageEdited', cursor: 'next', message: { ...again, id: 'message 1', number: 1 } }),
      [3, 4, 5],
    );
  });

  it('marks the view as deleted with its room, and keeps its content', () => {
    const now = applyRoomEvent(view, { __typename: 'RoomDeleted', cursor: 'next', room: null });
    assert.deepEqual(now, { ...view, deleted: true, cursor: 'next' });
  });
});
