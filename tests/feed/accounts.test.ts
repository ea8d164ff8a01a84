// What account streams tell, when, to whom, and how often.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { addMember, joinRoom, leaveRoom, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, sendMessage } from '../../src/chat/messages.ts';
import { createRoom, deleteRoom } from '../../src/chat/rooms.ts';
import type { AccountEvent } from '../../src/feed/account-event.ts';
import { decodeMoment, encodeMoment } from '../../src/storage/cursor.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { changeMembership, Node } from '../support/account-node.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { assertShownToMembers, freshList, ListReader, type ReaderOptions, type Shown } from '../support/list-reader.ts';
import { until } from '../support/process.ts';
import { storages } from '../support/server.ts';
import { chatOn, delayStatements, getRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';

const typesOf = (events: readonly AccountEvent[]) => events.map(({ type }) => type);

for (const storage of storages) {
  describe(`account streams on ${storage}`, () => {
    let opened: TestStorage;
    let db: Db;
    let bus: FickleBus;
    let chat: Chat;
    let node: Node;
    before(async () => {
      opened = await openTestStorage(storage);
      ({ db } = opened);
      bus = new FickleBus();
      chat = chatOn(db, bus);
      node = await Node.open(opened, bus);
    });
    after(async () => {
      node[Symbol.dispose]();
      await bus[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    });

    const createUser = async () => (await createGuest(db, 'User')).id;
    const create = async (owner: string, memberIds: string[] = [], kind: 'OPEN' | 'PRIVATE' = 'PRIVATE') =>
      (await createRoom(chat, owner, { kind, name: 'Room', memberIds })).id;
    const send = async (userId: string, roomId: string) => (await sendMessage(chat, userId, { roomId, body: 'hello' })).message;
    const readerOf = (userId: string, options: ReaderOptions = {}) => new ListReader(db, userId, () => node.accounts, options);
    const received = (reader: ListReader, count: number) =>
      until(`${count} events have arrived: ${typesOf(reader.events)}`, () => {
        if (reader.error) throw reader.error;
        return reader.events.length >= count;
      });
    const settled = (reader: ListReader) => until('the list equals a fresh page', async () => isFresh(reader));
    const isFresh = async (reader: ListReader) => {
      if (reader.error) throw reader.error;
      return JSON.stringify(reader.list) === JSON.stringify(await freshList(db, reader.userId));
    };

    it('tell what happens to the list, each change as what it is', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const reader = readerOf(bob);
      await reader.catchUp();
      const arrives = (type: AccountEvent['type'], count: number) =>
        until(`${type} has arrived`, () => reader.events.filter((event) => event.type === type).length === count);
      const roomId = await create(ada, [bob]);
      await arrives('ViewerRoomAdded', 1);
      await send(ada, roomId);
      await arrives('ViewerRoomChanged', 1);
      await changeMembership(chat, bob, roomId, { readSeq: 1, readNumber: 1 });
      await arrives('ViewerMembershipChanged', 1);
      await removeMember(chat, ada, roomId, bob);
      await arrives('ViewerRoomRemoved', 1);
      await addMember(chat, ada, roomId, bob);
      await arrives('ViewerRoomAdded', 2);
      await leaveRoom(chat, bob, roomId);
      await arrives('ViewerRoomRemoved', 2);
      await addMember(chat, ada, roomId, bob);
      await arrives('ViewerRoomAdded', 3);
      await deleteRoom(chat, ada, roomId);
      await arrives('ViewerRoomRemoved', 3);
      const told = reader.events.filter(({ type }) => type !== 'ViewerRoomChanged');
      assert.deepEqual(typesOf(told), [
        'ViewerCaughtUp',
        'ViewerRoomAdded',
        'ViewerMembershipChanged',
        ...['ViewerRoomRemoved', 'ViewerRoomAdded', 'ViewerRoomRemoved', 'ViewerRoomAdded', 'ViewerRoomRemoved'],
      ]);
      assert.equal(reader.events[2]?.type, 'ViewerRoomChanged');
      const reasons = told.flatMap((event) => ('removalReason' in event ? [event.removalReason] : []));
      assert.deepEqual(reasons, ['REMOVED', 'LEFT', 'DELETED']);
      await reader.cut();
    });

    it('tell on resuming only what changed meanwhile, as it is now', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const rooms: string[] = [];
      for (const _ of range(0, 4)) rooms.push(await create(ada, [bob]));
      const [, moved, left, lost, gone] = rooms as [string, string, string, string, string];
      const reader = readerOf(bob);
      await reader.catchUp();
      await reader.cut();
      for (const _ of range(1, 3)) await send(ada, moved);
      await leaveRoom(chat, bob, left);
      await removeMember(chat, ada, lost, bob);
      await deleteRoom(chat, ada, gone);
      const before = reader.events.length;
      await reader.catchUp();
      const told = reader.events.slice(before);
      const summary = told.map((event) => `${event.type} ${'roomId' in event ? rooms.indexOf(event.roomId) : ''}`).sort();
      assert.deepEqual(summary, [
        'ViewerCaughtUp ',
        'ViewerRoomAdded 1',
        'ViewerRoomRemoved 2',
        'ViewerRoomRemoved 3',
        'ViewerRoomRemoved 4',
      ]);
      assert.equal(told.at(-1)?.type, 'ViewerCaughtUp');
      assert.equal(reader.complete, 0);
      await reader.cut();
    });

    it('tell that the name of the viewer changed, and of totals those who want them, at most once a second', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      const toldAtMs: number[] = [];
      const onEvent = ({ type }: AccountEvent) => type === 'ViewerChanged' && toldAtMs.push(performance.now());
      const [plain, counting] = [readerOf(bob), readerOf(bob, { wantsTotals: true, onEvent })];
      for (const reader of [plain, counting]) await reader.catchUp();
      await db.updateTable('users').set({ name: 'Robert' }).where('id', '=', bob).execute();
      chat.announce();
      await until('both are told of the name', () => [plain, counting].every(({ events }) => typesOf(events).includes('ViewerChanged')));
      const startMs = performance.now();
      while (performance.now() - startMs < 2200) await send(ada, roomId);
      for (const reader of [plain, counting]) await settled(reader);
      await until('the totals are told after the last change', () => counting.events.at(-1)?.type === 'ViewerChanged');
      assert.equal(typesOf(plain.events).filter((type) => type === 'ViewerChanged').length, 1);
      const during = toldAtMs.filter((atMs) => atMs > startMs);
      const seconds = (performance.now() - startMs) / 1000;
      assert.ok(during.length >= 2 && during.length <= seconds + 2, `${during.length} times in ${seconds} s`);
      for (const reader of [plain, counting]) await reader.cut();
    });

    it('refuse a cursor that is malformed or older than 30 days, and give the whole list for one of an unknown epoch', async () => {
      const ada = await createUser();
      const rooms = [await create(ada), await create(ada)];
      const open = (after: string) => node.accounts.open({ userId: ada, after, includeMuted: true, wantsTotals: false });
      const account = await node.accounts.open({ userId: ada, after: undefined, includeMuted: true, wantsTotals: false });
      const moment = decodeMoment(account.cursor);
      account.stop();
      await assert.rejects(open('nonsense'), { code: 'CURSOR_INVALID' });
      await assert.rejects(open(encodeMoment({ ...moment, atSeconds: moment.atSeconds - 31 * 86_400 })), { code: 'CURSOR_EXPIRED' });
      (await open(encodeMoment({ ...moment, atSeconds: moment.atSeconds - 29 * 86_400 }))).stop();
      const reader = readerOf(ada);
      reader.cursor = encodeMoment({ ...moment, epoch: 'unknown' });
      await reader.catchUp();
      assert.deepEqual(typesOf(reader.events).sort(), ['ViewerCaughtUp', 'ViewerRoomAdded', 'ViewerRoomAdded']);
      assert.equal(reader.complete, 1);
      assert.deepEqual(Object.keys(reader.list).sort(), rooms.sort());
      await reader.cut();
    });

    it('give everyone the whole list again after a restore', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      const readers = [readerOf(ada), readerOf(bob), readerOf(bob, { isShared: false })];
      for (const reader of readers) await reader.catchUp();
      // As if a dump had been restored: the room never existed, and nothing says so.
      await sql`alter table memberships disable trigger user`.execute(db);
      await db.deleteFrom('memberships').where('roomId', '=', roomId).execute();
      await sql`alter table memberships enable trigger user`.execute(db);
      await sql`insert into epochs (started_at, place, tag, first_xid) values (now(), 'another', ${`restored${Date.now()}`}, '0')`.execute(
        db,
      );
      await node.changes.read();
      await until('all are complete', () => readers.every(({ complete }) => complete === 1));
      for (const reader of readers) assert.deepEqual(reader.list, {});
      const kept = await create(ada, [bob]);
      for (const reader of readers) await settled(reader);
      for (const reader of readers) {
        assert.deepEqual(Object.keys(reader.list), [kept]);
        await reader.cut();
      }
    });

    it('show nobody anything of after their removal, while others write', { timeout: 60_000 }, async () => {
      const owner = await createUser();
      const members = await Promise.all(range(1, 40).map(createUser));
      const roomId = await create(owner, members);
      const shown: Shown[] = [];
      const readers = members.flatMap((userId, i) => {
        const onEvent = (event: AccountEvent) =>
          'row' in event && shown.push({ userId, roomId: event.roomId, revision: event.row.headSeq });
        return [readerOf(userId, { onEvent, isShared: i % 2 === 0 })];
      });
      await Promise.all(readers.map((reader) => reader.catchUp()));
      let writes = true;
      const writing = (async () => {
        while (writes) await send(owner, roomId);
      })();
      for (const userId of members) await removeMember(chat, owner, roomId, userId);
      writes = false;
      await writing;
      for (const reader of readers) await settled(reader);
      assert.ok(shown.length > 40, `${shown.length} states were shown`);
      await assertShownToMembers(db, shown);
      for (const reader of readers) {
        assert.deepEqual(reader.list, {});
        await reader.cut();
      }
    });

    it('deliver nothing that was executed while the viewer was removed', async () => {
      for (const isShared of [true, false]) {
        const [ada, bob, eva] = [await createUser(), await createUser(), await createUser()];
        const roomId = await create(ada, [bob, eva]);
        let isRemoved = false;
        const onExecute = async (events: readonly AccountEvent[]) => {
          if (isRemoved || !events.some(({ type }) => type === 'ViewerRoomChanged')) return;
          isRemoved = true;
          // What the operation reads from here on is of after the removal.
          await removeMember(chat, ada, roomId, bob);
        };
        const [removed, member] = [readerOf(bob, { isShared, onExecute }), readerOf(eva, { isShared, onExecute })];
        for (const reader of [removed, member]) await reader.catchUp();
        await send(ada, roomId);
        for (const reader of [removed, member]) await settled(reader);
        assert.deepEqual(typesOf(removed.events), ['ViewerCaughtUp', 'ViewerRoomRemoved']);
        assert.ok(typesOf(member.events).includes('ViewerRoomChanged'));
        for (const reader of [removed, member]) await reader.cut();
      }
    });

    it('lose nothing that is committed while their rooms are read', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      const left = await create(ada, [bob]);
      let joined = '';
      let isDone = false;
      const { storage } = opened;
      const feedDb = delayStatements(storage.feedDb, async (text) => {
        if (isDone || !text.includes('string_agg')) return;
        isDone = true;
        await send(ada, roomId);
        await removeMember(chat, ada, left, bob);
        joined = await create(ada, [bob]);
        await slow.changes.read();
      });
      using slow = await Node.open({ storage: { ...storage, feedDb } }, bus);
      const reader = new ListReader(db, bob, () => slow.accounts);
      // With the whole list.
      reader.cursor = encodeMoment({ ...node.changes.moment, epoch: 'unknown' });
      await reader.catchUp();
      assert.ok(isDone);
      await settled(reader);
      assert.deepEqual(Object.keys(reader.list).sort(), [roomId, joined].sort());
      await reader.cut();
    });

    it('keep for a slow reader the set of its changed rooms, and no queue', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const rooms = [await create(ada, [bob]), await create(ada, [bob])];
      const [slow, other] = [readerOf(bob), readerOf(ada)];
      await slow.catchUp();
      await other.catchUp();
      slow.take(0);
      for (const _ of range(1, 30)) for (const roomId of rooms) await send(ada, roomId);
      await settled(other);
      assert.equal(slow.events.length, 1);
      slow.take(Number.POSITIVE_INFINITY);
      await settled(slow);
      assert.deepEqual(typesOf(slow.events.slice(1)), ['ViewerRoomChanged', 'ViewerRoomChanged']);
      for (const reader of [slow, other]) await reader.cut();
    });

    it('execute and read a change once for all members', async () => {
      const ada = await createUser();
      const members = await Promise.all(range(1, 20).map(createUser));
      const roomId = await create(ada, members);
      const readers = members.map((userId) => readerOf(userId));
      await Promise.all(readers.map((reader) => reader.catchUp()));
      const then = node.accounts.counts;
      await send(ada, roomId);
      for (const reader of readers) await settled(reader);
      const { moves, sharedExecutions, sharedDeliveries, ownExecutions } = node.accounts.counts;
      assert.deepEqual(
        [
          moves - then.moves,
          sharedExecutions - then.sharedExecutions,
          sharedDeliveries - then.sharedDeliveries,
          ownExecutions - then.ownExecutions,
        ],
        [1, 1, 20, 0],
      );
      for (const reader of readers) await reader.cut();
    });

    it('start together with one statement for 50 of them', async () => {
      const ada = await createUser();
      await create(ada);
      const { starts } = node.accounts.counts;
      const start = { userId: ada, after: undefined, includeMuted: true, wantsTotals: false };
      const accounts = await Promise.all(range(1, 100).map(() => node.accounts.open(start)));
      assert.equal(node.accounts.counts.starts - starts, 2);
      for (const account of accounts) account.stop();
      assert.equal(node.accounts.size, 0);
    });

    it('tell of a muted room when it is unmuted, when the mute ends, and on resuming', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      const reader = readerOf(bob, { includeMuted: false });
      const everything = readerOf(bob);
      await reader.catchUp();
      await everything.catchUp();
      const inAnHour = new Date(Date.now() + 3_600_000);
      await changeMembership(chat, bob, roomId, { mutedUntil: inAnHour });
      await received(reader, 2);
      await send(ada, roomId);
      await settled(everything);
      assert.deepEqual(typesOf(everything.events), ['ViewerCaughtUp', 'ViewerMembershipChanged', 'ViewerRoomChanged']);
      assert.deepEqual(typesOf(reader.events), ['ViewerCaughtUp', 'ViewerMembershipChanged']);
      await changeMembership(chat, bob, roomId, { mutedUntil: null });
      await received(reader, 3);
      assert.equal(reader.events.at(-1)?.type, 'ViewerRoomAdded');
      assert.ok(await isFresh(reader));
      await changeMembership(chat, bob, roomId, { mutedUntil: new Date(Date.now() + 700) });
      await received(reader, 4);
      await send(ada, roomId);
      await received(reader, 5);
      assert.deepEqual(typesOf(reader.events.slice(3)), ['ViewerMembershipChanged', 'ViewerRoomAdded']);
      assert.ok(await isFresh(reader));
      await changeMembership(chat, bob, roomId, { mutedUntil: inAnHour });
      await received(reader, 6);
      await send(ada, roomId);
      await settled(everything);
      await reader.cut();
      await reader.catchUp();
      assert.ok(await isFresh(reader), 'on resuming, what was not told of while it was muted is told');
      await deleteRoom(chat, ada, roomId);
      await until('it is told that a muted room was deleted', () => reader.events.at(-1)?.type === 'ViewerRoomRemoved');
      for (const each of [reader, everything]) await each.cut();
    });

    it('name the messages that were deleted, with the revisions that deleted them', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      const [first, second] = [await send(ada, roomId), await send(ada, roomId)];
      const reader = readerOf(bob);
      await reader.catchUp();
      await deleteMessage(chat, ada, first.id);
      await deleteMessage(chat, ada, second.id);
      await settled(reader);
      const { headSeq } = await getRoom(db, roomId);
      const deleted = reader.events.flatMap((event) => ('deleted' in event ? event.deleted : []));
      const named = new Map(deleted.map(({ number, revision }) => [number, revision]));
      assert.deepEqual(
        [...named],
        [
          [first.number, headSeq - 1],
          [second.number, headSeq],
        ],
      );
      await reader.cut();
    });

    it('move a room with more than 1,000 listeners at most once a second', { timeout: 60_000 }, async () => {
      const ada = await createUser();
      const roomId = await create(ada);
      const start = { userId: ada, after: undefined, includeMuted: true, wantsTotals: false };
      const crowd = await Promise.all(range(1, 1000).map(() => node.accounts.open(start)));
      const reader = readerOf(ada);
      await reader.catchUp();
      const { moves } = node.accounts.counts;
      const startMs = performance.now();
      while (performance.now() - startMs < 3000) await send(ada, roomId);
      await settled(reader);
      const seconds = (performance.now() - startMs) / 1000;
      assert.ok(node.accounts.counts.moves - moves <= seconds + 1, `${node.accounts.counts.moves - moves} moves in ${seconds} s`);
      for (const account of crowd) account.stop();
      await reader.cut();
    });

    it('tell an account once a second whose rooms move more than 5 times a second', { timeout: 60_000 }, async () => {
      const ada = await createUser();
      const rooms = await Promise.all(range(1, 10).map(() => create(ada)));
      const writes = new Set<number>();
      const reader = readerOf(ada, {
        onEvent: ({ type }) => type === 'ViewerRoomChanged' && writes.add(Math.round(performance.now() / 50)),
      });
      await reader.catchUp();
      const startMs = performance.now();
      while (performance.now() - startMs < 3000) for (const roomId of rooms) await send(ada, roomId);
      await settled(reader);
      const seconds = (performance.now() - startMs) / 1000;
      assert.ok(writes.size <= 2 * (seconds + 1), `${writes.size} writes in ${seconds} s`);
      await reader.cut();
    });

    it('end at once, for all of their rooms', async () => {
      const ada = await createUser();
      await create(ada);
      const reader = readerOf(ada);
      await reader.catchUp();
      await reader.cut();
      const { events } = reader;
      const joined = await create(await createUser(), [], 'OPEN');
      await joinRoom(chat, ada, joined);
      await node.changes.read();
      assert.equal(events.length, 1);
      assert.equal(node.accounts.size, 0);
    });

    it('are told within a second of what no wake announced, while the bus is not healthy', async () => {
      const [ada, bob] = [await createUser(), await createUser()];
      const roomId = await create(ada, [bob]);
      await using lossy = new FickleBus();
      lossy.healthy = false;
      lossy.losesWakes = true;
      using deaf = await Node.open(opened, lossy);
      const reader = new ListReader(db, bob, () => deaf.accounts);
      await reader.catchUp();
      const startMs = performance.now();
      await send(ada, roomId);
      await received(reader, 2);
      assert.ok(performance.now() - startMs < 1500);
      await reader.cut();
    });

    it('cost no read of changes at a wake once nobody has one', async () => {
      const ada = await createUser();
      const roomId = await create(ada);
      const reader = readerOf(ada);
      await reader.catchUp();
      await send(ada, roomId);
      await received(reader, 2);
      await reader.cut();
      await node.changes.read();
      const { reads } = node.changes.counts;
      const startMs = performance.now();
      while (performance.now() - startMs < 1000) await send(ada, roomId);
      // A check and a read that was planned before may fall into this time, but not one for each of the wakes.
      assert.ok(node.changes.counts.reads - reads <= 2, `${node.changes.counts.reads - reads} reads`);
    });
  });
}
