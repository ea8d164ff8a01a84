// Changes of a room by viewers without the right. They wait neither for the room nor for each other, however many there are.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
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
});
