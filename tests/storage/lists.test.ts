// Every list is read by an index, however long it is: no OFFSET, no scan, and no more rows than the page needs.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { encodeCursor } from '../../src/storage/cursor.ts';
import { moveAllMarkers, moveHeldMarker, moveMarkers } from '../../src/storage/markers.ts';
import { findMembershipsOf, findPeers, listMembers, memberCursor } from '../../src/storage/members.ts';
import { findLastMessages, listMessages, messageCursor } from '../../src/storage/messages.ts';
import { findRoomToPurge, findRoomToTrim } from '../../src/storage/retention.ts';
import { readHeads } from '../../src/storage/room-log.ts';
import { findDirectRoom, findRooms, listRooms, type RoomOrder, roomCursor } from '../../src/storage/rooms.ts';
import { writeSends } from '../../src/storage/sends.ts';
import type { Db } from '../../src/storage/tables.ts';
import { findUnreadCounts, readUnreadTotals } from '../../src/storage/unread.ts';
import { assertIndexed, flat, type Plan, Plans, rowsRead } from '../support/plans.ts';
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

describe('lists of thousands on PostgreSQL', () => {
  let opened: TestStorage;
  let plans: Plans;
  let db: Db;
  let userId: string;
  let roomId: string;
  const roomIds: string[] = [];

  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    const { db: plain } = opened;
    plans = await Plans.open(opened);
    ({ db } = plans);
    const chat = chatOn(plain);
    ({ roomId, userId } = await createOwnedRoom(chat));
    await fillRoom(plain, roomId, 6000);
    for (const kind of ['OPEN', 'PRIVATE', 'OPEN'] as const) {
      const other = await createOwnedRoom(chat, kind, [userId]);
      await fillRoom(plain, other.roomId, 6000);
      roomIds.push(other.roomId);
    }
    await sql`insert into users (id, name, name_folded, created_at)
      select 'user_' || i, 'User ' || i, 'user ' || i, clock_timestamp() from generate_series(1, 5000) i`.execute(plain);
    await sql`insert into memberships (id, room_id, user_id, role, joined_at)
      select 'membership_' || i, ${roomId}, 'user_' || i, 'MEMBER', clock_timestamp() + i * interval '1 second'
      from generate_series(1, 5000) i`.execute(plain);
    // Without the time limit of the pool.
    await plans.client.query(`insert into rooms (id, kind, name, name_folded, subject, head_tag, floor_tag, created_at, last_active_at)
      select 'room_' || i, case when i % 3 = 0 then 'PRIVATE' else 'OPEN' end, 'Room ' || i, 'ROOM ' || i,
        'trade:' || i, 0, 0, clock_timestamp() - i * interval '1 second', clock_timestamp() - i * interval '7 seconds'
      from generate_series(1, 40000) i`);
    await sql`insert into memberships (id, room_id, user_id, role)
      select 'own_' || i, 'room_' || i, ${userId}, 'MEMBER' from generate_series(1, 60) i`.execute(plain);
    await sql`insert into memberships (id, room_id, user_id, role)
      select 'their_' || i, 'room_' || i, 'user_' || (i % 5000 + 1), 'MEMBER' from generate_series(1, 6000) i`.execute(plain);
    await sql`insert into rooms (id, kind, name, name_folded, head_tag, floor_tag)
      select 'room_needle_' || i, 'OPEN', 'Needle ' || i, 'NEEDLE ' || i, 0, 0 from generate_series(1, 5) i`.execute(plain);
    await plans.client.query('vacuum analyze');
  });
  after(async () => {
    await plans[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  const page = async (args: object) => listMessages(opened.db, userId, roomId, { first: 100, ...args });
  const rooms = (orderBy: RoomOrder, filter = {}, args = {}) => listRooms(db, userId, args, filter, orderBy);
  const inTheMiddle = async (orderBy: RoomOrder) => roomCursor(orderBy, await getRoom(opened.db, 'room_3001'));

  const lists: Record<string, () => Promise<unknown>> = {
    'the last messages': () => listMessages(db, userId, roomId, { last: 20 }),
    'the first messages': () => listMessages(db, userId, roomId, { first: 20 }),
    'messages after a cursor': async () =>
      listMessages(db, userId, roomId, { first: 20, after: messageCursor((await page({})).rows.at(-1) as never) }),
    'messages before a cursor': async () => {
      const { rows } = await page({ last: 100, first: undefined });
      return listMessages(db, userId, roomId, { last: 20, before: messageCursor(rows[0] as never) });
    },
    'the last messages of many rooms': () => findLastMessages(db, userId, [roomId, ...roomIds]),
    'the rows that refused sends look up': () =>
      writeSends(
        db,
        range(1, 64).map((i) => ({ roomId: `room_${i}`, senderId: `user_${i + 100}`, body: 'hello', clientMessageId: `key ${i}` })),
      ),
    'the log after a position': async () => readLog(db, roomId, (await readAll(opened.db, roomId))[3000] as never, 50),
    'the heads of rooms': () => readHeads(db, [roomId, ...roomIds]),
    members: () => listMembers(db, userId, roomId, { first: 20 }),
    'the last members': () => listMembers(db, userId, roomId, { last: 20 }),
    'members after a cursor': async () => {
      const { rows } = await listMembers(opened.db, userId, roomId, { first: 100 });
      return listMembers(db, userId, roomId, { first: 20, after: memberCursor(rows[99] as never) });
    },
    'the memberships of a viewer': () => findMembershipsOf(db, userId, userId, [roomId, ...roomIds]),
    peers: () => findPeers(db, userId, roomIds),
    'rooms by activity': () => rooms('RECENTLY_ACTIVE'),
    'the least recently active rooms': () => rooms('RECENTLY_ACTIVE', {}, { last: 20 }),
    'the newest rooms': () => rooms('NEWEST'),
    'rooms by name': () => rooms('NAME'),
    'rooms by activity, after a cursor': async () =>
      rooms('RECENTLY_ACTIVE', {}, { first: 20, after: await inTheMiddle('RECENTLY_ACTIVE') }),
    'the newest rooms, after a cursor': async () => rooms('NEWEST', {}, { first: 20, after: await inTheMiddle('NEWEST') }),
    'rooms by name, before a cursor': async () => rooms('NAME', {}, { last: 20, before: await inTheMiddle('NAME') }),
    'rooms that the viewer joined': () => rooms('RECENTLY_ACTIVE', { joined: true }),
    'rooms about a subject': () => rooms('RECENTLY_ACTIVE', { subject: 'trade:4000' }),
    'rooms whose name contains a rare text': () => rooms('RECENTLY_ACTIVE', { nameContains: 'needle' }),
    'rooms whose name contains a rare text, by name': () => rooms('NAME', { nameContains: 'needle 7' }, { last: 20 }),
    'rooms whose name contains a text that no room has': () => rooms('NEWEST', { nameContains: 'no such room' }),
    'rooms whose name contains a frequent text': () => rooms('RECENTLY_ACTIVE', { nameContains: 'room' }),
    'rooms whose name contains a frequent letter': () => rooms('RECENTLY_ACTIVE', { nameContains: 'o' }),
    'rooms of a page': () => findRooms(db, userId, [roomId, ...roomIds]),
    'a DIRECT room': () => findDirectRoom(db, 'nobody'),
    'unread rooms': () => rooms('RECENTLY_ACTIVE', { unread: true }),
    'the unread counts of a page': () => findUnreadCounts(db, userId, [roomId, ...roomIds]),
    'unread totals': () => readUnreadTotals(db, userId),
    'the markers that move': () =>
      moveMarkers(
        db,
        range(1, 60).map((i) => ({ userId, roomId: `room_${i}`, seq: 0, isSet: true })),
      ),
    'the markers that a statement waits for': () => moveHeldMarker(db, { userId, roomId, seq: 10, isSet: true }),
    'the markers of all rooms': () => moveAllMarkers(db, userId),
    'a room to trim': () => findRoomToTrim(db, new Date(0), []),
    'a room to purge': () => findRoomToPurge(db, new Date(), new Date(), []),
  };

  for (const [what, list] of Object.entries(lists)) {
    it(`reads ${what} by index`, async () => {
      for (const { text, plan } of await plans.explain(list)) {
        assert.doesNotMatch(text, /\boffset\b/i);
        for (const node of flat(plan)) {
          const detail = `${text}\n${JSON.stringify(plan, null, 1)}`;
          assertIndexed(node, detail);
          const rows = rowsRead(node);
          // The rows of a page in two branches, and the 60 rooms of the viewer.
          assert.ok(rows <= 250, `${rows} rows were read\n${detail}`);
        }
      }
    });
  }

  it('finds rare names by the trigram index', async () => {
    const { plan } = (await plans.explain(() => rooms('RECENTLY_ACTIVE', { nameContains: 'needle' })))[0] as { plan: Plan };
    assert.ok(
      flat(plan).some((node) => node['Index Name'] === 'room_names_by_part'),
      JSON.stringify(plan, null, 1),
    );
  });

  it('looks for a text without a trigram in 10,000 rooms at most, and finds it there', async () => {
    for (const nameContains of ['\u{1f4ac}', 'zz', '!!!', '_']) {
      const { plan } = (await plans.explain(() => rooms('RECENTLY_ACTIVE', { nameContains })))[0] as { plan: Plan };
      for (const node of flat(plan)) {
        assertIndexed(node);
        assert.ok(node['Actual Rows'] <= 10_000, JSON.stringify(plan, null, 1));
      }
    }
    assert.equal((await rooms('NEWEST', { nameContains: '7' })).rows.length, 20);
  });

  it('pages through 6,000 messages from either end without a gap or a repeat', async () => {
    const forwards: number[] = [];
    const backwards: number[] = [];
    const { floorSeq: seq, floorTag: tag } = await getRoom(opened.db, roomId);
    for (let after = encodeCursor(roomId, { seq, tag }), more = true; more; ) {
      const { rows, hasNextPage } = await listMessages(opened.db, userId, roomId, { first: 100, after });
      forwards.push(...rows.map(({ number }) => number));
      after = messageCursor(rows.at(-1) as never);
      more = hasNextPage;
    }
    for (let before: string | undefined, more = true; more; ) {
      const { rows, hasPreviousPage } = await listMessages(opened.db, userId, roomId, { last: 100, before });
      backwards.unshift(...rows.map(({ number }) => number));
      before = messageCursor(rows[0] as never);
      more = hasPreviousPage;
    }
    const all = (await readAll(opened.db, roomId)).map(({ seq }) => seq);
    assert.deepEqual(forwards, all);
    assert.deepEqual(backwards, all);
  });
});
