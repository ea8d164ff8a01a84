// Changes of a room by viewers without the right. They wait neither for the room nor for each other, however many there are.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { addMember, joinRoom, leaveRoom, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/chat/messages.ts';
import { createRoom, deleteRoom, openDirectRoom, updateRoom } from '../../src/chat/rooms.ts';
import { createGuest } from '../../src/storage/users.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { chatOn, observeStatements, openTestStorage, range, readAll, type TestStorage } from '../support/storage.ts';

describe('a change of a room', () => {
  let opened: TestStorage;
  let url: string;
  let chat: Chat;
  const people: Record<'owner' | 'member' | 'outsider', string> = { owner: '', member: '', outsider: '' };
  const rooms: Record<'OPEN' | 'PRIVATE' | 'DIRECT', { roomId: string; messageId: string }> = {} as never;
  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    url = (opened.config as { databaseUrl: string }).databaseUrl;
    chat = chatOn(opened.db);
    people.member = (await createGuest(opened.db, 'Member')).id;
    people.outsider = (await createGuest(opened.db, 'Outsider')).id;
    people.owner = (await createGuest(opened.db, 'Owner')).id;
    const create = (kind: 'OPEN' | 'PRIVATE') => createRoom(chat, people.owner, { kind, name: 'Room', memberIds: [people.member] });
    const { room } = await openDirectRoom(chat, people.owner, people.member, null);
    for (const { kind, id: roomId } of [await create('OPEN'), await create('PRIVATE'), room]) {
      const { message } = await sendMessage(chat, people.owner, { roomId, body: 'of the owner' });
      rooms[kind] = { roomId, messageId: message.id };
    }
  });
  after(() => opened[Symbol.asyncDispose]());

  type Change = (on: Chat, viewerId: string, ids: { roomId: string; messageId: string }) => Promise<unknown>;
  const changes: Record<string, Change> = {
    joinRoom: (on, viewerId, { roomId }) => joinRoom(on, viewerId, roomId),
    leaveRoom: (on, viewerId, { roomId }) => leaveRoom(on, viewerId, roomId),
    addMember: (on, viewerId, { roomId }) => addMember(on, viewerId, roomId, people.outsider),
    removeMember: (on, viewerId, { roomId }) => removeMember(on, viewerId, roomId, people.member),
    updateRoom: (on, viewerId, { roomId }) => updateRoom(on, viewerId, roomId, { name: 'New' }),
    deleteRoom: (on, viewerId, { roomId }) => deleteRoom(on, viewerId, roomId),
    editMessage: (on, viewerId, { messageId }) => editMessage(on, viewerId, messageId, 'edited'),
    deleteMessage: (on, viewerId, { messageId }) => deleteMessage(on, viewerId, messageId),
  };
  /** Each change that writes nothing, and its outcome. */
  const cases: [name: string, keyof typeof people, keyof typeof rooms, outcome: string][] = [
    ['joinRoom', 'member', 'OPEN', 'done'],
    ['joinRoom', 'outsider', 'PRIVATE', 'NOT_FOUND'],
    ['leaveRoom', 'outsider', 'OPEN', 'done'],
    ['leaveRoom', 'outsider', 'PRIVATE', 'NOT_FOUND'],
    ['leaveRoom', 'member', 'DIRECT', 'BAD_USER_INPUT'],
    ...(['addMember', 'removeMember', 'updateRoom', 'deleteRoom'] as const).flatMap((name) => [
      [name, 'member', 'OPEN', 'FORBIDDEN'] as [string, 'member', 'OPEN', string],
      [name, 'outsider', 'OPEN', 'FORBIDDEN'] as [string, 'outsider', 'OPEN', string],
      [name, 'outsider', 'PRIVATE', 'NOT_FOUND'] as [string, 'outsider', 'PRIVATE', string],
    ]),
    ['editMessage', 'member', 'OPEN', 'FORBIDDEN'],
    ['editMessage', 'outsider', 'PRIVATE', 'NOT_FOUND'],
    ['deleteMessage', 'member', 'OPEN', 'FORBIDDEN'],
    ['deleteMessage', 'outsider', 'PRIVATE', 'NOT_FOUND'],
  ];
  const outcomeOf = (changing: Promise<unknown>) =>
    changing.then(
      () => 'done',
      (error: { code?: string }) => error.code ?? String(error),
    );

  for (const [name, person, kind, expected] of cases) {
    it(`by ${name} of ${person} in a room that is ${kind} is answered ${expected} while the room is locked`, async () => {
      const ids = rooms[kind];
      await using lock = await Lock.take(url, 'select 1 from rooms where id = $1 for update', [ids.roomId]);
      assert.equal(await outcomeOf((changes[name] as Change)(chat, people[person], ids)), expected);
      assert.equal(await lock.waiting(), 0);
    });

    it(`by 1,500 ${name} of ${person} in a room that is ${kind} needs few statements, and does not delay a member`, async () => {
      let statements = 0;
      const on = chatOn(observeStatements(opened.db, () => (statements += 1)));
      const ids = rooms[kind];
      const before = (await readAll(opened.db, ids.roomId)).length;
      const outcomes = range(1, 1500).map(() => outcomeOf((changes[name] as Change)(on, people[person], ids)));
      const sends = range(1, 22).map((i) => outcomeOf(sendMessage(on, people.owner, { roomId: ids.roomId, body: `hello ${i}` })));
      assert.deepEqual([...new Set(await Promise.all(sends))], ['done']);
      assert.deepEqual([...new Set(await Promise.all(outcomes))], [expected]);
      assert.ok(statements < 30, `${statements} statements`);
      assert.equal((await readAll(opened.db, ids.roomId)).length, before + 22);
    });
  }

  // The deletion of a user locks the user and then their rooms.
  const others: Record<string, (gone: string, roomId: string) => Promise<unknown>> = {
    joinRoom: (gone, roomId) => joinRoom(chat, gone, roomId),
    addMember: (gone, roomId) => addMember(chat, people.owner, roomId, gone),
    leaveRoom: (gone, roomId) => leaveRoom(chat, gone, roomId),
    removeMember: (gone, roomId) => removeMember(chat, people.owner, roomId, gone),
  };
  for (const [name, change] of Object.entries(others)) {
    it(`by ${name} does not hold the room while it waits for the deletion of its user`, async () => {
      const { id: roomId } = await createRoom(chat, people.owner, { kind: 'OPEN', name: 'Room', memberIds: [] });
      const gone = (await createGuest(opened.db, 'Gone')).id;
      if (name === 'leaveRoom' || name === 'removeMember') await joinRoom(chat, gone, roomId);
      await using lock = await Lock.take(url, 'select 1 from users where id = $1 for update', [gone]);
      const changing = change(gone, roomId);
      await until('the change waits for the user', async () => (await lock.waiting()) > 0);
      await lock.ask('select 1 from rooms where id = $1 for update nowait', [roomId]);
      await lock.release();
      await changing;
    });
  }

  it('without the right, or that changes nothing, does not wait for the lane of the room', async () => {
    for (const kind of Object.keys(rooms) as (keyof typeof rooms)[]) {
      const ids = rooms[kind];
      await using lock = await Lock.take(url, 'select 1 from rooms where id = $1 for update', [ids.roomId]);
      // Occupies the lane until the lock is released.
      const occupying = editMessage(chat, people.owner, ids.messageId, 'edited meanwhile');
      await until('the lane is occupied', async () => (await lock.waiting()) === 1);
      for (const [name, person, , expected] of cases.filter((each) => each[2] === kind)) {
        assert.equal(await outcomeOf((changes[name] as Change)(chat, people[person], ids)), expected, `${name} of ${person}`);
      }
      assert.equal(await lock.waiting(), 1);
      await lock.release();
      await occupying;
    }
  });

  it('is refused if its right ended while it waited in the lane', async () => {
    const { id: roomId } = await createRoom(chat, people.owner, { kind: 'PRIVATE', name: 'Before', memberIds: [people.member] });
    await using lock = await Lock.take(url, 'select 1 from rooms where id = $1 for update', [roomId]);
    const changing = outcomeOf(updateRoom(chat, people.owner, roomId, { name: 'After' }));
    await until('it waits under the check that was passed', async () => (await lock.waiting()) === 1);
    const ofOwner = opened.db.updateTable('memberships').set({ role: 'MEMBER' }).where('roomId', '=', roomId);
    await ofOwner.where('userId', '=', people.owner).execute();
    await lock.release();
    assert.equal(await changing, 'FORBIDDEN');
    assert.deepEqual(await readAll(opened.db, roomId), []);
  });

  /** Two new users, in the order in which their rows are locked. */
  const newPair = async (): Promise<[string, string]> => {
    const ids = [(await createGuest(opened.db, 'One')).id, (await createGuest(opened.db, 'Two')).id];
    return ids.sort() as [string, string];
  };
  const creations: Record<string, (viewerId: string, otherId: string) => Promise<unknown>> = {
    createRoom: (viewerId, otherId) => createRoom(chat, viewerId, { kind: 'PRIVATE', name: 'Room', memberIds: [otherId] }),
    openDirectRoom: (viewerId, otherId) => openDirectRoom(chat, viewerId, otherId, null),
  };
  for (const [name, create] of Object.entries(creations)) {
    it(`by ${name} locks its users in the order of their ids, whoever creates the room`, async () => {
      for (const isViewerFirst of [true, false]) {
        const [first, second] = await newPair();
        // A deletion of both that has locked the first one.
        await using lock = await Lock.take(url, 'select 1 from users where id = $1 for update', [first]);
        const creating = isViewerFirst ? create(first, second) : create(second, first);
        await until('it waits for the first one', async () => (await lock.waiting()) > 0);
        await lock.ask('select 1 from users where id = $1 for update nowait', [second]);
        await lock.release();
        await creating;
      }
    });
  }

  it('that creates rooms does not deadlock with others that name the same users, nor with their deletion', async () => {
    const deadlocks = async () => {
      // Each backend reports its counters when it is idle.
      const { rows } = await sql<{
        deadlocks: number;
      }>`select deadlocks::int from pg_stat_database where datname = current_database()`.execute(opened.db);
      return rows[0]?.deadlocks;
    };
    const before = await deadlocks();
    const outcomes = new Set<string>();
    for (const _ of range(1, 10)) {
      const pairs = await Promise.all(range(1, 4).map(newPair));
      const users = pairs.flat().sort();
      const room = (viewerId: string, memberIds: string[]) => createRoom(chat, viewerId, { kind: 'PRIVATE', name: 'Room', memberIds });
      const creating = [
        ...users.map((viewerId) => room(viewerId, users)),
        ...users.map((viewerId) => room(viewerId, users.toReversed())),
        ...pairs.flatMap(([one, two]) => [openDirectRoom(chat, one, two, null), openDirectRoom(chat, two, one, null)]),
      ].map(outcomeOf);
      const deleting = opened.db.transaction().execute(async (trx) => {
        for (const id of users.slice(0, 2)) await trx.deleteFrom('users').where('id', '=', id).execute();
      });
      const deleted = outcomeOf(deleting);
      for (const outcome of await Promise.all([...creating, deleted])) outcomes.add(outcome);
    }
    assert.deepEqual(
      [...outcomes].filter((outcome) => !['done', 'NOT_FOUND', 'UNAUTHENTICATED'].includes(outcome)),
      [],
    );
    assert.equal(await deadlocks(), before);
  });
});
