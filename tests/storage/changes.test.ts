// What changed since a moment: exact under writers that commit in another order than they began, and whoever writes.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { joinRoom, leaveRoom, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, sendMessage } from '../../src/chat/messages.ts';
import { updateRoom } from '../../src/chat/rooms.ts';
import { readChanges } from '../../src/storage/changes.ts';
import { endOf, type Moment, underWayIn } from '../../src/storage/cursor.ts';
import { lockRoom } from '../../src/storage/locked-room.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { until } from '../support/process.ts';
import { storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, getRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';

for (const storage of storages) {
  describe(`changes on ${storage}`, () => {
    let opened: TestStorage;
    let db: Db;
    let chat: Chat;
    let roomId: string;
    let userId: string;
    before(async () => {
      opened = await openTestStorage(storage);
      ({ db } = opened);
      chat = chatOn(db);
      ({ roomId, userId } = await createOwnedRoom(chat));
    });
    after(() => opened[Symbol.asyncDispose]());

    const moment = async (): Promise<Moment> => {
      // The markers of senders move in the background.
      await chat.senderMarkers.flush();
      return (await readChanges(db, undefined)).moment;
    };
    const said = (body: string) => sendMessage(chat, userId, { roomId, body, marksRead: false });
    const stampOf = async () => {
      const { rows } = await sql<{ xid: string }>`select changed_xid::text as xid from rooms where id = ${roomId}`.execute(db);
      return rows[0]?.xid;
    };

    it('names a room once, whatever happened in it', async () => {
      const before = await moment();
      const { message } = await said('one');
      await deleteMessage(chat, userId, message.id);
      await updateRoom(chat, userId, roomId, { name: 'Renamed' });
      const changes = await readChanges(db, before);
      assert.deepEqual(changes.rooms, [roomId]);
      assert.deepEqual((await readChanges(db, changes.moment)).rooms, []);
    });

    it('names who joined, left and was removed, and says which', async () => {
      const [ada, bob] = [await createGuest(db, 'Ada'), await createGuest(db, 'Bob')];
      const before = await moment();
      for (const { id } of [ada, bob]) await joinRoom(chat, id, roomId);
      const joined = await readChanges(db, before);
      assert.deepEqual(joined.memberships.map(({ userId }) => userId).sort(), [ada.id, bob.id].sort());
      await leaveRoom(chat, ada.id, roomId);
      await removeMember(chat, userId, roomId, bob.id);
      const left = await readChanges(db, joined.moment);
      assert.deepEqual(left.memberships.map(({ userId }) => userId).sort(), [ada.id, bob.id].sort());
      const departures = await db.selectFrom('departures').select(['userId', 'reason']).where('roomId', '=', roomId).execute();
      assert.deepEqual(Object.fromEntries(departures.map(({ userId, reason }) => [userId, reason])), {
        [ada.id]: 'LEFT',
        [bob.id]: 'REMOVED',
      });
      await joinRoom(chat, ada.id, roomId);
      assert.equal(await db.selectFrom('departures').select('userId').where('userId', '=', ada.id).executeTakeFirst(), undefined);
    });

    it('misses nothing of a transaction that commits after later ones', {
      skip: storage === 'PGlite' && 'it has one connection',
    }, async () => {
      const [early, late] = [await createOwnedRoom(chat), await createOwnedRoom(chat)];
      const written = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const held = db.transaction().execute(async (trx) => {
        await (await lockRoom(trx, early.roomId))?.append({ type: 'RoomUpdated' }, { name: 'Held' });
        written.resolve();
        await release.promise;
      });
      await written.promise;
      const before = await moment();
      await sendMessage(chat, late.userId, { roomId: late.roomId, body: 'later' });
      const meanwhile = await readChanges(db, before);
      assert.deepEqual(meanwhile.rooms, [late.roomId]);
      release.resolve();
      await held;
      assert.deepEqual((await readChanges(db, meanwhile.moment)).rooms, [early.roomId]);
      assert.ok(underWayIn(meanwhile.moment.snapshot).length > 0 && BigInt(endOf(meanwhile.moment.snapshot)) > 0n);
    });

    it('names a user whose name, picture or settings changed, and the subject of a revoked session', async () => {
      const ada = await createGuest(db, 'Ada');
      const before = await moment();
      for (const values of [{ name: 'Eva' }, { avatarUrl: 'https://example.org/a.png' }, { sharesReceipts: false }]) {
        const then = await moment();
        await db.updateTable('users').set(values).where('id', '=', ada.id).execute();
        assert.deepEqual((await readChanges(db, then)).users, [ada.id]);
      }
      await db.updateTable('users').set({ name: 'Eva' }).where('id', '=', ada.id).execute();
      await sql`insert into revocations (subject, session_id) values ('ada', 'one')`.execute(db);
      const { users, subjects } = await readChanges(db, before);
      assert.deepEqual([users, subjects], [[ada.id], ['ada']]);
    });

    it('ignores what a restored dump brought of a future that did not happen here', async () => {
      const before = await moment();
      await sql`insert into changes (xid, room_id) values (${`${BigInt(endOf(before.snapshot)) + 1_000_000n}`}::text::xid8, ${roomId})`.execute(
        db,
      );
      assert.deepEqual((await readChanges(db, before)).rooms, []);
    });

    it('counts the TALK messages of a room, and not who came and went', async () => {
      const room = await createOwnedRoom(chat);
      const send = (body: string) => sendMessage(chat, room.userId, { roomId: room.roomId, body });
      const guest = await createGuest(db, 'Guest');
      await send('one');
      await joinRoom(chat, guest.id, room.roomId);
      await Promise.all(range(1, 5).map((i) => send(`${i}`)));
      await leaveRoom(chat, guest.id, room.roomId);
      const { talkCount, lastNumber } = await getRoom(db, room.roomId);
      assert.deepEqual([talkCount, lastNumber], [6, 8]);
      const { rows } = await sql<{ kind: string; talkCount: number }>`
        select kind, talk_count from messages join room_log using (room_id, seq) where room_id = ${room.roomId} order by seq`.execute(db);
      assert.deepEqual(
        rows.map(({ kind, talkCount }) => `${kind} ${talkCount}`),
        ['TALK 1', 'ENTER 1', ...range(2, 6).map((i) => `TALK ${i}`), 'LEAVE 6'],
      );
    });

    if (storage === 'PostgreSQL') {
      it('changes no index of rooms with a send', async () => {
        const updates = async () => {
          const { rows } = await sql<{ all: number; hot: number }>`
            select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = 'rooms'`.execute(db);
          return rows[0] as { all: number; hot: number };
        };
        const before = await updates();
        for (const i of range(1, 200)) await said(`${i}`);
        // PostgreSQL publishes its statistics about once a second.
        await until('they are counted', async () => (await updates()).all >= before.all + 200);
        const { all, hot } = await updates();
        // A page that is full of old versions is left now and then.
        assert.ok(hot - before.hot >= 0.9 * (all - before.all), `${hot - before.hot} of ${all - before.all}`);
      });
    }

    it('stamps and counts what a node of the previous version writes', async () => {
      const before = await moment();
      const { talkCount } = await getRoom(db, roomId);
      // As version 0.1.0 sends: neither count nor stamp.
      await sql`
        with moved as (
          update rooms set head_seq = head_seq + 2, last_number = last_number + 2 where id = ${roomId} returning id, head_seq, last_number
        ), entry as (
          insert into room_log (room_id, seq, tag, type, message_id)
          select id, head_seq - 2 + i, i, 'MessageAdded', 'old_' || i from moved cross join generate_series(1, 2) i
        )
        insert into messages (id, room_id, seq, tag, changed_seq, number, kind, body)
        select 'old_' || i, id, head_seq - 2 + i, i, head_seq - 2 + i, last_number - 2 + i, 'TALK', 'old' from moved cross join generate_series(1, 2) i
      `.execute(db);
      assert.deepEqual((await readChanges(db, before)).rooms, [roomId]);
      assert.equal((await getRoom(db, roomId)).talkCount, talkCount + 2);
      const { rows } = await sql<{
        count: number;
      }>`select talk_count as count from room_log where message_id like 'old_%' order by seq`.execute(db);
      assert.deepEqual(
        rows.map(({ count }) => count),
        [talkCount + 1, talkCount + 2],
      );
      const stamp = await stampOf();
      await said('after');
      assert.notEqual(await stampOf(), stamp);
      assert.equal((await getRoom(db, roomId)).talkCount, talkCount + 3);
    });
  });
}
