// The moment of a page of rooms is that of its rows: what the page does not show is among the changes after its moment.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sendMessage } from '../../src/chat/messages.ts';
import { readChanges } from '../../src/storage/changes.ts';
import { listRooms } from '../../src/storage/rooms.ts';
import { createGuest } from '../../src/storage/users.ts';
import { storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';

for (const storage of storages) {
  describe(`a page of rooms on ${storage}`, () => {
    let opened: TestStorage;
    before(async () => {
      opened = await openTestStorage(storage);
    });
    after(() => opened[Symbol.asyncDispose]());

    it('has a moment also if it is empty', async () => {
      const { id } = await createGuest(opened.db, 'Nobody');
      const { rows, moment } = await listRooms(opened.db, id, {}, { joined: true }, 'NAME');
      assert.deepEqual(rows, []);
      assert.deepEqual((await readChanges(opened.db, moment)).rooms, []);
    });

    it('misses no change between its rows and its moment, and names none twice, while others write', { timeout: 60_000 }, async () => {
      const { db } = opened;
      const chats = range(1, 4).map(() => chatOn(db));
      const rooms = await Promise.all(range(1, 8).map(() => createOwnedRoom(chats[0] as (typeof chats)[0])));
      const viewer = (await createGuest(db, 'Viewer')).id;
      let isOver = false;
      const writing = rooms.map(async ({ roomId, userId }, i) => {
        while (!isOver) await sendMessage(chats[i % 4] as (typeof chats)[0], userId, { roomId, body: 'hello', marksRead: false });
      });
      const pages: Awaited<ReturnType<typeof listRooms>>[] = [];
      for (const _ of range(1, 100)) pages.push(await listRooms(db, viewer, { first: 100 }, {}, 'RECENTLY_ACTIVE'));
      isOver = true;
      await Promise.all(writing);
      const last = new Map((await listRooms(db, viewer, { first: 100 }, {}, 'NAME')).rows.map(({ id, headSeq }) => [id, headSeq]));
      for (const { rows, moment } of pages) {
        const changed = new Set((await readChanges(db, moment)).rooms);
        const missed = rows.filter(({ id, headSeq }) => last.get(id) !== headSeq && !changed.has(id));
        const repeated = rows.filter(({ id, headSeq }) => last.get(id) === headSeq && changed.has(id));
        assert.deepEqual([missed, repeated], [[], []]);
      }
    });
  });
}
