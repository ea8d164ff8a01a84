// An answer means that the write-ahead log is on the disk, whatever the database does of its own accord.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sql } from 'kysely';
import { sendMessage } from '../../src/chat/messages.ts';
import { openStorage } from '../../src/storage/database.ts';
import { createGuest } from '../../src/storage/users.ts';
import { startPostgres } from '../support/postgres.ts';
import { silentLog } from '../support/server.ts';
import { chatOn, createOwnedRoom } from '../support/storage.ts';

it('a write is flushed before it is acknowledged, where the server would flush seconds later', { timeout: 120_000 }, async () => {
  await using postgres = await startPostgres({ synchronous_commit: 'off', wal_writer_delay: '10s', autovacuum: 'off' });
  await using storage = await openStorage({ databaseUrl: postgres.url, poolSize: 3 }, silentLog);
  const { db } = storage;
  const isFlushed = async () => {
    const { rows } = await sql<{ end: string }>`select pg_current_wal_insert_lsn()::text as end`.execute(db);
    const end = rows[0]?.end;
    const flushed = await sql<{ flushed: boolean }>`select pg_current_wal_flush_lsn() >= ${end}::pg_lsn as flushed`.execute(db);
    return flushed.rows[0]?.flushed === true;
  };
  const chat = chatOn(db);
  const { roomId, userId } = await createOwnedRoom(chat);
  assert.ok(await isFlushed(), 'a transaction');
  // What the server does without us.
  await sql`insert into secrets (name, value) values ('not flushed', '')`.execute(db);
  assert.equal(await isFlushed(), false, 'a raw insert');
  await sendMessage(chat, userId, { roomId, body: 'hello' });
  assert.ok(await isFlushed(), 'a send');
  await createGuest(db, 'Grace');
  assert.ok(await isFlushed(), 'a guest');
});
