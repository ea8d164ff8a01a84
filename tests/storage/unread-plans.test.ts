// The unread counts of an account with 1,000 rooms among 100,000 are read by index, and read few messages.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { moveAllMarkers, moveMarkers } from '../../src/storage/markers.ts';
import { listRooms } from '../../src/storage/rooms.ts';
import { findUnreadCounts, readUnreadTotals } from '../../src/storage/unread.ts';
import { createGuest } from '../../src/storage/users.ts';
import { assertIndexed, flat, type Plan, Plans, rowsRead } from '../support/plans.ts';
import { openTestStorage, range, type TestStorage } from '../support/storage.ts';

const ownRooms = 1000;
const roomId = (i: number) => `room_${i}`;

describe('the unread counts of 1,000 rooms among 100,000, on PostgreSQL', () => {
  let opened: TestStorage;
  let plans: Plans;
  let userId: string;
  let otherId: string;

  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    plans = await Plans.open(opened);
    const { client } = plans;
    userId = (await createGuest(opened.db, 'Ada')).id;
    otherId = (await createGuest(opened.db, 'Bob')).id;
    await client.query(`insert into rooms (id, kind, name, name_folded, head_tag, floor_tag, head_seq, last_number, talk_count, last_active_at)
      select 'room_' || i, case when i % 10 = 0 then 'OPEN' else 'PRIVATE' end, 'Room ' || i, 'ROOM ' || i, 0, 0, n, n, n, now() - i * interval '7 seconds'
      from generate_series(1, 100000) i, lateral (select case when i <= 2000 then 20 else 0 end as n) as said`);
    await client.query(`insert into messages (id, room_id, seq, tag, changed_seq, number, kind, sender_id, body, created_at)
      select 'message_' || r || '_' || i, 'room_' || r, i, 0, i, i, 'TALK', '${otherId}', 'hello', now()
      from generate_series(1, 2000) r, generate_series(1, 20) i`);
    await client.query(`insert into room_log (room_id, seq, tag, type, at, message_id, talk_count)
      select room_id, seq, tag, 'MessageAdded', now(), id, number from messages`);
    // In every fourth room 5 messages are unread.
    await client.query(`insert into memberships (id, room_id, user_id, role, read_seq, read_tag, read_number, read_talk)
      select 'own_' || i, 'room_' || i, '${userId}', 'MEMBER', n, 0, n, n
      from generate_series(1, ${ownRooms}) i, lateral (select case when i % 4 = 0 then 15 else 20 end as n) as seen`);
    await client.query(`insert into memberships (id, room_id, user_id, role, read_tag)
      select 'their_' || i, 'room_' || i, '${otherId}', 'MEMBER', 1 from generate_series(1, 100000) i`);
    await client.query(`update rooms set last_deleted_number = 18 where id in ('room_4', 'room_8')`);
    await client.query(`update messages set deleted_at = now(), body = null where number = 18 and room_id in ('room_4', 'room_8')`);
    await client.query('vacuum analyze');
  });
  after(async () => {
    await plans[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  /** Runs `read`, and returns the largest number of rows that a part of its plan has read of each table. */
  async function rowsOf(read: () => Promise<unknown>): Promise<Record<string, number>> {
    const { plan } = (await plans.explain(read))[0] as { plan: Plan };
    const rows: Record<string, number> = {};
    for (const node of flat(plan)) {
      const table = node['Relation Name'];
      if (table === undefined) continue;
      assertIndexed(node, JSON.stringify(plan, null, 1));
      rows[table] = Math.max(rows[table] ?? 0, rowsRead(node));
    }
    return rows;
  }
  const atMost = (rows: Record<string, number>, limits: Record<string, number>) => {
    for (const [table, limit] of Object.entries(limits)) assert.ok((rows[table] ?? 0) <= limit, `${table}: ${JSON.stringify(rows)}`);
  };

  it('in total read each membership and room once, and messages only where some are unread', async () => {
    assert.deepEqual(await readUnreadTotals(opened.db, userId), { rooms: 250, messages: 1248 });
    atMost(await rowsOf(() => readUnreadTotals(plans.db, userId)), { memberships: 1000, rooms: 1000, messages: 1250 });
  });

  it('of a page of 50 rooms read these rooms only', async () => {
    const ids = range(1, 50).map(roomId);
    assert.equal((await findUnreadCounts(opened.db, userId, ids)).find((each) => each.roomId === 'room_4')?.count, 4);
    // A plan may look through all memberships of the user, which is one range of an index.
    atMost(await rowsOf(() => findUnreadCounts(plans.db, userId, ids)), { memberships: 1000, rooms: 50, messages: 60 });
  });

  it('that are not 0 are found for a list', async () => {
    const list = () => listRooms(plans.db, userId, { first: 50 }, { unread: true }, 'RECENTLY_ACTIVE');
    atMost(await rowsOf(list), { memberships: 1000, rooms: 1000, messages: 1250 });
    assert.equal((await list()).rows.length, 50);
  });

  it('are changed by markers that are looked up one by one', async () => {
    const moves = range(1, 50).map((i) => ({ userId, roomId: roomId(i * 4), seq: 17, tag: 0, isSet: false }));
    atMost(await rowsOf(() => moveMarkers(plans.db, moves)), { memberships: 50, rooms: 50, messages: 50, room_log: 50 });
  });

  it('are changed in all rooms by one range of memberships', async () => {
    atMost(await rowsOf(() => moveAllMarkers(plans.db, userId)), { memberships: 1000, rooms: 1000 });
    await sql`update memberships set read_seq = 15, read_number = 15, read_talk = 15 where user_id = ${userId}`.execute(opened.db);
    assert.equal(await moveAllMarkers(opened.db, userId), ownRooms);
  });
});
