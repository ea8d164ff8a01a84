// Behind PgBouncer in transaction mode, where each transaction may run in another session.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { openStorage } from '../../src/storage/database.ts';
import { recordCommits, recordedCommits, setDefault } from '../support/commits.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';
import { Guest, silentLog, startServer } from '../support/server.ts';
import { range } from '../support/storage.ts';
import { useWholeChat } from '../support/whole-chat.ts';

/** Backends that all sessions share. */
const backends = 3;

/** A database whose commits are not durable by default, directly and through PgBouncer. */
async function openPlace() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createDatabase());
  await setDefault(database.url, 'synchronous_commit', 'off');
  const direct = opened.use(await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog));
  const pooler = opened.use(await startPgBouncer(database.url, backends));
  await recordCommits(direct.db);
  const toClose = opened.move();
  return { url: pooler.url, direct: direct.db, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}

describe('a server behind a pooler in transaction mode', { timeout: 120_000 }, () => {
  it('commits every send that it acknowledges durably, though the default of the database is off', async () => {
    await using place = await openPlace();
    await using server = await startServer({ env: { DATABASE_URL: place.url, IDENTITY: 'guest' } });
    const guests = await Promise.all(range(1, 8).map((i) => Guest.signIn(server.url, `Guest ${i}`)));
    const rooms = await Promise.all(guests.map((guest) => guest.createRoom()));
    // Sessions of others, who share the backends and want the default of the database.
    const other = new pg.Client(place.url);
    await other.connect();
    const seenByOthers = new Set<string>();
    let sending = true;
    const watching = (async () => {
      while (sending) {
        const { rows } = await other.query(`select name || ' = ' || setting as setting from pg_settings
          where name in ('synchronous_commit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')`);
        for (const { setting } of rows) seenByOthers.add(setting);
      }
    })();
    await Promise.all(
      guests.map(async (guest, i) => {
        for (const n of range(1, 60)) await guest.send(rooms[i] as string, `message ${n}`, `key ${n}`);
      }),
    );
    sending = false;
    await watching;
    await other.end();

    const commits = await recordedCommits(place.direct);
    assert.ok(commits.filter(({ table }) => table === 'messages').length >= 480);
    assert.deepEqual(
      commits.filter(({ setting }) => setting !== 'on'),
      [],
    );
    assert.deepEqual([...seenByOthers].sort(), [
      'idle_in_transaction_session_timeout = 0',
      'lock_timeout = 0',
      'statement_timeout = 0',
      'synchronous_commit = off',
    ]);
  });

  it('leaves no lock behind if a migration fails at the start', async () => {
    await using database = await createDatabase();
    await using pooler = await startPgBouncer(database.url, backends);
    const client = new pg.Client(database.url);
    await client.connect();
    // The first migration finds its table there.
    await client.query('create table users ()');
    await assert.rejects(openStorage({ databaseUrl: pooler.url, poolSize: 2 }, silentLog), /"users" already exists/);
    const { rows } = await client.query(`select from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`);
    await client.end();
    assert.deepEqual(rows, []);
  });
});

const modes: [name: string, settings: Record<string, string>][] = [
  ['session', { pool_mode: 'session' }],
  ['transaction', { pool_mode: 'transaction' }],
];
describe('the whole chat', { timeout: 240_000 }, () => {
  for (const [mode, settings] of modes) {
    for (const prepare of ['auto', 'off']) {
      it(`works behind PgBouncer in ${mode} mode with DATABASE_PREPARE=${prepare}`, async () => {
        await using database = await createDatabase();
        // In session mode, each connection of the node occupies a backend.
        await using pooler = await startPgBouncer(database.url, mode === 'session' ? 20 : backends, settings);
        const env = { DATABASE_URL: pooler.url, IDENTITY: 'guest', DATABASE_PREPARE: prepare, RETENTION_DAYS: '30' };
        await using server = await startServer({ env });
        await useWholeChat(server);
      });
    }
  }

  it('works where prepared statements are tracked by the pooler', async (test) => {
    await using database = await createDatabase();
    // Since PgBouncer 1.21. An earlier one refuses to start with the setting.
    const started = startPgBouncer(database.url, backends, { max_prepared_statements: '100' });
    const pooler = await started.catch((error: Error) => error);
    if (pooler instanceof Error) {
      assert.match(pooler.message, /max_prepared_statements/);
      return test.skip('this PgBouncer is older than 1.21');
    }
    await using _pooler = pooler;
    await using server = await startServer({ env: { DATABASE_URL: pooler.url, IDENTITY: 'guest', RETENTION_DAYS: '30' } });
    await useWholeChat(server);
  });
});
