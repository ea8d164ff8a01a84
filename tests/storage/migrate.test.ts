// Migrations of a database that other versions use at the same time.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import { sendMessage } from '../../src/chat/messages.ts';
import { updateRoom } from '../../src/chat/rooms.ts';
import { openStorage } from '../../src/storage/database.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { up as roomLog } from '../../src/storage/migrations/0001-room-log.ts';
import { listRooms } from '../../src/storage/rooms.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { createDatabase } from '../support/postgres.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, getRoom, openTestStorage, range, readAll } from '../support/storage.ts';

/** Leaves the tables and the ledger as version 0.1 does. Returns the row of the ledger. */
async function goBackToVersion01(db: Db) {
  await sql`drop schema public cascade`.execute(db);
  await sql`create schema public`.execute(db);
  await roomLog(db);
  await sql`create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(db);
  const applied = { name: '0001-room-log', timestamp: '2025-01-02T03:04:05.678Z' };
  await sql`insert into kysely_migration values (${applied.name}, ${applied.timestamp})`.execute(db);
  return applied;
}

for (const name of storages) {
  describe(`migrations on ${name}`, () => {
    it('are applied once, however often they run', async () => {
      await using opened = await openTestStorage(name);
      const ledger = async () => (await sql`select * from gapless_migration order by name`.execute(opened.db)).rows;
      const before = await ledger();
      assert.ok(before.length > 0);
      await migrate(opened.db);
      await migrate(opened.db);
      assert.deepEqual(await ledger(), before);
    });

    it('go on where version 0.1 ended, and leave the ledger with which it starts', async () => {
      await using opened = await openTestStorage(name);
      const { db } = opened;
      const ledger = async () =>
        (await sql<{ name: string; timestamp: string }>`select * from gapless_migration order by name`.execute(db)).rows;
      const names = (await ledger()).map((row) => row.name);
      const applied = await goBackToVersion01(db);
      const isTakenOver = async () => {
        assert.deepEqual(
          (await ledger()).map((row) => row.name),
          names,
        );
        assert.deepEqual((await ledger())[0], applied);
        assert.deepEqual((await sql`select * from kysely_migration`.execute(db)).rows, [applied]);
      };
      await migrate(db);
      await isTakenOver();
      // The versions after 0.1 recorded only the later migrations in the new ledger.
      await sql`delete from gapless_migration where name = ${applied.name}`.execute(db);
      await migrate(db);
      await isTakenOver();
    });

    if (name === 'PostgreSQL') {
      it('let a node that holds a table and needs another finish, and follow it', async () => {
        await using opened = await openTestStorage(name);
        const { db, config } = opened;
        await goBackToVersion01(db);
        const node = new pg.Client((config as { databaseUrl: string }).databaseUrl);
        await node.connect();
        await node.query('begin');
        await node.query('update memberships set role = role');
        const migrated = migrate(db);
        // By then, the migration would have looked for a deadlock and found none, so that PostgreSQL would end the node's transaction.
        await sleep(1200);
        await node.query('select from users for key share');
        await node.query('update rooms set name = name');
        await node.query('commit');
        await node.end();
        assert.deepEqual(await migrated, []);
      });
    }

    it('let this version start after a newer one has migrated', async () => {
      await using opened = await openTestStorage(name);
      await sql`insert into gapless_migration (name, timestamp) values ('9999-from-the-future', '2099-01-01T00:00:00.000Z')`.execute(
        opened.db,
      );
      await migrate(opened.db);
    });

    it('keep the counts and the log correct when the row of a user is deleted', async () => {
      await using opened = await openTestStorage(name);
      const { db } = opened;
      const chat = chatOn(db);
      const leaving = await createGuest(db, 'Grace');
      const open = await createOwnedRoom(chat, 'OPEN', [leaving.id]);
      const shared = await createOwnedRoom(chat, 'PRIVATE', [leaving.id]);
      const own = await createRoomOf(leaving.id);
      await sendMessage(chat, leaving.id, { roomId: open.roomId, body: 'hello' });
      await db.deleteFrom('users').where('id', '=', leaving.id).execute();
      for (const { roomId } of [open, shared]) {
        assert.equal((await getRoom(db, roomId)).memberCount, 1);
        const last = (await readAll(db, roomId)).at(-1);
        assert.ok(last?.type === 'MemberLeft');
        assert.equal(last.userId, leaving.id);
      }
      const ended = await getRoom(db, own);
      assert.ok(ended.deletedAt);
      assert.deepEqual(
        (await readAll(db, own)).map(({ type }) => type),
        ['MemberLeft', 'RoomDeleted'],
      );
      // The next entry follows.
      await sendMessage(chat, open.userId, { roomId: open.roomId, body: 'goodbye' });
      assert.deepEqual(
        (await readAll(db, open.roomId)).map(({ seq }) => seq),
        range(1, 3),
      );

      async function createRoomOf(userId: string): Promise<string> {
        const { roomId, userId: ownerId } = await createOwnedRoom(chat, 'PRIVATE', [userId]);
        await db.deleteFrom('users').where('id', '=', ownerId).execute();
        const [member] = await db.selectFrom('memberships').select(['userId', 'role']).where('roomId', '=', roomId).execute();
        assert.deepEqual(member, { userId, role: 'OWNER' });
        await sql`delete from room_log where room_id = ${roomId}`.execute(db);
        await sql`update rooms set floor_seq = head_seq, floor_tag = head_tag where id = ${roomId}`.execute(db);
        return roomId;
      }
    });
  });
}

describe('the index for name search', () => {
  const indexes = async (db: Db) =>
    (await sql<{ name: string }>`select indexname as name from pg_indexes where indexname = 'room_names_by_part'`.execute(db)).rows.length;

  it('is created where the role may create pg_trgm, in whatever schema that is', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    assert.equal(await indexes(opened.db), 1);
    await using database = await createDatabase();
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query('create schema elsewhere; create extension pg_trgm schema elsewhere');
    await client.end();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog);
    assert.equal(await indexes(storage.db), 1);
  });

  it('follows the names of OPEN rooms, and is not written by a send', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const chat = chatOn(opened.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    await createOwnedRoom(chat, 'PRIVATE');
    const names = async () => (await sql`select room_id, name_folded, xmin::text from room_names`.execute(opened.db)).rows;
    const found = async (nameContains: string) =>
      (await listRooms(opened.db, userId, {}, { nameContains }, 'NAME')).rows.map(({ id }) => id);
    const before = await names();
    assert.equal(before.length, 1);
    await sendMessage(chat, userId, { roomId, body: 'hello' });
    assert.deepEqual(await names(), before);
    await updateRoom(chat, userId, roomId, { name: 'Kitchen' });
    assert.deepEqual([await found('oom'), await found('itche')], [[], [roomId]]);
    await opened.db.deleteFrom('rooms').where('id', '=', roomId).execute();
    assert.deepEqual(await names(), []);
  });

  it('is left out where the role may not, and names are found without it', async () => {
    await using cleanup = new AsyncDisposableStack();
    const role = `gapless_test_${crypto.randomUUID().replaceAll('-', '')}`;
    const ask = async (url: string, statement: string) => {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(statement);
      await client.end();
    };
    await ask(process.env['DATABASE_URL'] as string, `create role ${role} login password 'secret'`);
    cleanup.defer(() => ask(process.env['DATABASE_URL'] as string, `drop role ${role}`));
    const database = cleanup.use(await createDatabase());
    await ask(database.url, `grant all on schema public to ${role}`);
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'secret'];
    const storage = cleanup.use(await openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog));
    assert.equal(await indexes(storage.db), 0);
    const { roomId, userId } = await createOwnedRoom(chatOn(storage.db));
    const { rows } = await listRooms(storage.db, userId, {}, { nameContains: 'oom' }, 'NAME');
    assert.deepEqual(
      rows.map(({ id }) => id),
      [roomId],
    );
  });
});
