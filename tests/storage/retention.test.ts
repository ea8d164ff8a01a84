// Retention removes the oldest entries of a room in batches, announces each batch, and keeps what a kept entry needs.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { editMessage, sendMessage } from '../../src/chat/messages.ts';
import { Retention } from '../../src/chat/retention.ts';
import { deleteRoom } from '../../src/chat/rooms.ts';
import type { GaplessError } from '../../src/errors.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { logSourceOf } from '../../src/feed/log-reader.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor, type Position } from '../../src/storage/cursor.ts';
import { lockRoom } from '../../src/storage/locked-room.ts';
import { findMessages, listMessages } from '../../src/storage/messages.ts';
import type { Db } from '../../src/storage/tables.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { Lock } from '../support/lock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog, storages } from '../support/server.ts';
import {
  chatOn,
  createOwnedRoom,
  fillRoom,
  getRoom,
  openTestStorage,
  range,
  readAll,
  readLog,
  type TestStorage,
} from '../support/storage.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const longAgo = new Date(Date.now() - 10 * dayMs);
const isExpired = ({ code }: GaplessError) => code === 'CURSOR_EXPIRED';

for (const name of storages) {
  describe(`retention on ${name}`, () => {
    let opened: TestStorage;
    let db: Db;
    let chat: Chat;
    let retention: Retention;
    before(async () => {
      opened = await openTestStorage(name);
      db = opened.db;
      chat = chatOn(db);
      retention = new Retention(chat, 3, silentLog);
    });
    after(async () => {
      await retention[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    });

    const summary = async (roomId: string) =>
      (await readAll(db, roomId)).map((entry) => ('throughNumber' in entry ? `trimmed through ${entry.throughNumber}` : entry.type));
    const numbers = async (roomId: string) =>
      (await listMessages(db, (await getRoom(db, roomId)).createdBy as string, roomId, { first: 100 })).rows.map(({ number }) => number);

    it('removes departures after 30 days, and changes after an hour', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await db
        .insertInto('departures')
        .values([
          { roomId, userId, reason: 'LEFT' },
          { roomId: 'room_old', userId, reason: 'LEFT', at: new Date(Date.now() - 31 * dayMs) },
        ])
        .execute();
      const slot = sql<number>`((extract(epoch from now())::bigint / 3600 + 1) % 3)::int`;
      await db.insertInto('changes').values({ roomId, slot }).execute();
      await retention.clean();
      const departures = await db.selectFrom('departures').select('roomId').where('userId', '=', userId).execute();
      assert.deepEqual(departures, [{ roomId }]);
      const { rows } = await sql<{ old: number; minute: number }>`
        select (select count(*) from changes where slot = ${slot})::int as old, extract(minute from now())::int as minute`.execute(db);
      // In the last minute of an hour, nodes may begin to write to that part.
      assert.ok(rows[0]?.old === 0 || rows[0]?.minute === 59);
      const kept = await db.selectFrom('changes').select('roomId').where('roomId', '=', roomId).execute();
      assert.ok(kept.length > 0, 'the changes of this hour stay');
    });

    it('goes by the clock of the database, and removes nothing if the clock of the node is days ahead', async (t) => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await sendMessage(chat, userId, { roomId, body: 'new' });
      const aheadMs = Date.now() + 10 * dayMs;
      t.mock.method(Date, 'now', () => aheadMs);
      await retention.clean();
      assert.deepEqual(await summary(roomId), ['MessageAdded']);
    });

    it('removes the oldest messages and writes one HistoryTrimmed entry', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 5, longAgo);
      for (const body of ['new', 'newer']) await sendMessage(chat, userId, { roomId, body });
      await retention.clean();
      assert.deepEqual(await summary(roomId), ['MessageAdded', 'MessageAdded', 'trimmed through 5']);
      assert.deepEqual(await numbers(roomId), [6, 7]);
      const { message } = await sendMessage(chat, userId, { roomId, body: 'newest' });
      assert.deepEqual([message.number, message.seq], [8, 9]);
      const { count } = await db
        .selectFrom('messages')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('roomId', '=', roomId)
        .executeTakeFirstOrThrow();
      assert.equal(count, 3);
    });

    it('keeps old messages after a new one', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await sendMessage(chat, userId, { roomId, body: 'new' });
      await fillRoom(db, roomId, 2, longAgo);
      await retention.clean();
      assert.deepEqual(await numbers(roomId), [1, 2, 3]);
      assert.equal((await readAll(db, roomId)).length, 3);
    });

    it('removes many messages in batches, each announced once', async () => {
      const { roomId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 2300, longAgo);
      await retention.clean();
      assert.deepEqual(await summary(roomId), ['trimmed through 1000', 'trimmed through 2000', 'trimmed through 2300']);
      assert.deepEqual(await numbers(roomId), []);
    });

    it('keeps a cursor at the floor valid, and expires cursors before it', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 5, longAgo);
      const [fourth, fifth] = (await readAll(db, roomId)).slice(3);
      assert.ok(fourth && fifth);
      await sendMessage(chat, userId, { roomId, body: 'new' });
      await retention.clean();
      const seqs = (await readLog(db, roomId, fifth, 10)).map(({ seq }) => seq);
      assert.deepEqual(seqs, [6, 7]);
      const page = await listMessages(db, userId, roomId, { first: 10, after: encodeCursor(roomId, fifth) });
      assert.deepEqual([page.rows.map(({ number }) => number), page.hasPreviousPage], [[6], false]);
      await assert.rejects(readLog(db, roomId, fourth, 10), isExpired);
      await assert.rejects(listMessages(db, userId, roomId, { first: 10, after: encodeCursor(roomId, fourth) }), isExpired);
      await assert.rejects(readLog(db, roomId, { ...fifth, tag: fifth.tag + 1 }, 10), isExpired);
    });

    it('keeps the tombstone of a message that was edited later until the entry of the edit is removed', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 3, longAgo);
      const [added] = await readAll(db, roomId);
      assert.ok(added?.type === 'MessageAdded');
      await editMessage(chat, userId, added.messageId, 'edited');
      await retention.clean();
      assert.deepEqual(await summary(roomId), ['MessageEdited', 'trimmed through 3']);
      assert.deepEqual(await numbers(roomId), []);
      const [tombstone] = await findMessages(db, [added.messageId]);
      assert.equal(tombstone?.body, null);
      assert.ok(tombstone.deletedAt);
      assert.equal(tombstone.deletionReason, null);
      await assert.rejects(editMessage(chat, userId, added.messageId, 'again'), ({ code }: GaplessError) => code === 'NOT_FOUND');

      await sendMessage(chat, userId, { roomId, body: 'new' });
      await retention.clean(Date.now() + 5 * dayMs);
      assert.deepEqual(await summary(roomId), ['trimmed through 4']);
      assert.deepEqual(await findMessages(db, [added.messageId]), []);
    });

    it('does not trim an idle room again because of its HistoryTrimmed entry', async () => {
      const { roomId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 3, longAgo);
      for (const days of [0, 5, 10, 15]) await retention.clean(Date.now() + days * dayMs);
      assert.deepEqual(await summary(roomId), ['trimmed through 3']);
      const { headSeq, oldestAt } = await getRoom(db, roomId);
      assert.deepEqual([headSeq, oldestAt], [4, null]);
    });

    it('trims a room again after new messages have become old', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 3, longAgo);
      await retention.clean(Date.now() + 10 * dayMs);
      await sendMessage(chat, userId, { roomId, body: 'new' });
      await retention.clean();
      assert.deepEqual(await summary(roomId), ['trimmed through 3', 'MessageAdded']);
      await retention.clean(Date.now() + 10 * dayMs);
      assert.deepEqual(await summary(roomId), ['trimmed through 4']);
    });

    it('ends if a whole batch consists of HistoryTrimmed entries', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 1100, longAgo);
      await db.deleteFrom('messages').where('roomId', '=', roomId).execute();
      await db
        .updateTable('roomLog')
        .set({ type: 'HistoryTrimmed', messageId: null, throughNumber: sql<number>`seq` })
        .where('roomId', '=', roomId)
        .execute();
      await sendMessage(chat, userId, { roomId, body: 'new' });
      await retention.clean(Date.now() + 5 * dayMs);
      assert.equal((await summary(roomId)).at(-1), 'trimmed through 1101');
      assert.deepEqual(await numbers(roomId), []);
    });

    it('keeps everything for ever without a number of days', async () => {
      const { roomId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 3, longAgo);
      await using keeper = new Retention(chat, undefined, silentLog);
      await keeper.clean();
      assert.deepEqual(await numbers(roomId), [1, 2, 3]);
    });

    it('removes the messages and the log of a deleted room an hour later, and its row and members after 30 days', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 2100);
      await deleteRoom(chat, userId, roomId);
      await retention.clean();
      assert.equal((await readAll(db, roomId)).at(-1)?.type, 'RoomDeleted');
      const rowsOf = (table: 'messages' | 'roomLog' | 'memberships') =>
        db.selectFrom(table).select('roomId').where('roomId', '=', roomId).execute();
      await retention.clean(Date.now() + 2 * hourMs);
      assert.deepEqual([await rowsOf('messages'), await rowsOf('roomLog'), (await rowsOf('memberships')).length], [[], [], 1]);
      await retention.clean(Date.now() + 31 * 24 * hourMs);
      assert.deepEqual(await rowsOf('memberships'), []);
      assert.deepEqual(await db.selectFrom('rooms').select('id').where('id', '=', roomId).execute(), []);
    });

    it('does the work once if two nodes run it', async () => {
      const rooms = await Promise.all(range(1, 6).map(() => createOwnedRoom(chat)));
      for (const { roomId } of rooms) await fillRoom(db, roomId, 1500, longAgo);
      await using other = new Retention(chat, 3, silentLog);
      await Promise.all([retention.clean(), other.clean()]);
      await retention.clean();
      for (const { roomId } of rooms) assert.deepEqual(await summary(roomId), ['trimmed through 1000', 'trimmed through 1500']);
    });

    it('runs again and again, at least every 90 s', async () => {
      const clock = new ManualClock();
      await using _periodic = new Retention(chat, 3, silentLog, clock);
      for (const _round of range(1, 3)) {
        const { roomId } = await createOwnedRoom(chat);
        await fillRoom(db, roomId, 1, longAgo);
        await until('the old message is removed', async () => {
          await clock.advance(90_000);
          return (await numbers(roomId)).length === 0;
        });
      }
    });

    if (name === 'PostgreSQL') {
      it('continues with the next room if one is locked', async () => {
        const [locked, free] = [await createOwnedRoom(chat), await createOwnedRoom(chat)];
        for (const { roomId } of [locked, free]) await fillRoom(db, roomId, 2, longAgo);
        assert.ok('databaseUrl' in opened.config);
        await using lock = await Lock.take(opened.config.databaseUrl, 'select 1 from rooms where id = $1 for update', [locked.roomId]);
        await retention.clean();
        assert.deepEqual(await summary(free.roomId), ['trimmed through 2']);
        assert.equal((await readAll(db, locked.roomId)).length, 2);
        await lock.release();
        await retention.clean();
        assert.deepEqual(await summary(locked.roomId), ['trimmed through 2']);
      });
    }

    it('is delivered to watchers as HistoryTrimmed', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 4, longAgo);
      await using liveRooms = new LiveRooms(logSourceOf(opened.storage.feedDb), chat.bus, retryFor(), silentLog);
      const watch = { roomId, viewerId: userId, after: undefined, wants: (type: string) => type !== 'CaughtUp' };
      await using feed = new FeedReader(await openFeed(liveRooms, watch));
      const next = feed.next();
      await retention.clean();
      const { value } = await next;
      assert.ok(value?.type === 'HistoryTrimmed');
      assert.deepEqual([value.throughNumber, value.seq], [4, 5]);
    });

    it('expires a resume from before the floor, although the tail still holds those entries', async () => {
      const { roomId, userId } = await createOwnedRoom(chat);
      await fillRoom(db, roomId, 4, longAgo);
      const [first] = await readAll(db, roomId);
      await using liveRooms = new LiveRooms(logSourceOf(opened.storage.feedDb), chat.bus, retryFor(), silentLog);
      const watch = { roomId, viewerId: userId, wants: (type: string) => type !== 'CaughtUp' };
      const resume = async () => new FeedReader(await openFeed(liveRooms, { ...watch, after: encodeCursor(roomId, first as Position) }));
      await using live = new FeedReader(await openFeed(liveRooms, { ...watch, after: undefined }));
      // After this, the tail holds the entries before the floor.
      await using early = await resume();
      assert.equal((await early.next()).value?.seq, 2);
      await retention.clean();
      assert.equal((await live.next()).value?.type, 'HistoryTrimmed');
      await assert.rejects(resume(), { code: 'CURSOR_EXPIRED' });
    });
  });
}

describe('retention on PostgreSQL', () => {
  it('does not trim a room that is deleted meanwhile, so that feeds can deliver RoomDeleted', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db } = opened;
    const chat = chatOn(db);
    const { roomId } = await createOwnedRoom(chat);
    await fillRoom(db, roomId, 3, longAgo);
    await using retention = new Retention(chat, 3, silentLog);
    let cleaning = Promise.resolve();
    await db.transaction().execute(async (trx) => {
      const room = await lockRoom(trx, roomId);
      cleaning = retention.clean();
      await until('retention waits for the room', async () => {
        const { rows } = await sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
          db,
        );
        return rows.length > 0;
      });
      await room?.append({ type: 'RoomDeleted' }, { deletedAt: sql<Date>`clock_timestamp()` });
    });
    await cleaning;
    assert.equal((await readAll(db, roomId)).at(-1)?.type, 'RoomDeleted');
  });
});
