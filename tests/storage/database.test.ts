// How the database is opened: by many at once, with answers that mean that a row is there to stay.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import { Link } from '../../proof/rig/link.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import { openStorage, ping } from '../../src/storage/database.ts';
import { isUnavailable } from '../../src/storage/unavailable.ts';
import { createGuest } from '../../src/storage/users.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { freePort, until } from '../support/process.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, range } from '../support/storage.ts';

for (const name of storages) {
  describe(`opening ${name}`, () => {
    it('finds what was kept before', async () => {
      await using cleanup = new AsyncDisposableStack();
      const folder = mkdtempSync(join(tmpdir(), 'gapless-data-'));
      cleanup.defer(() => rmSync(folder, { recursive: true }));
      const config =
        name === 'PGlite' ? { dataDir: join(folder, 'new') } : { databaseUrl: cleanup.use(await createDatabase()).url, poolSize: 2 };
      const names: string[][] = [];
      for (const guest of ['Ada', 'Grace']) {
        await using storage = await openStorage(config, silentLog);
        await createGuest(storage.db, guest);
        names.push((await storage.db.selectFrom('users').select('name').orderBy('createdAt').execute()).map((user) => user.name));
      }
      assert.deepEqual(names, [['Ada'], ['Ada', 'Grace']]);
    });
  });
}

describe('opening PostgreSQL', () => {
  it('lets ten nodes start at once on a fresh database', async () => {
    await using database = await createDatabase();
    const config = { databaseUrl: database.url, poolSize: 2 };
    const opened = await Promise.allSettled(range(1, 10).map(() => openStorage(config, silentLog)));
    try {
      assert.deepEqual(
        opened.map((one) => (one.status === 'rejected' ? String(one.reason) : 'opened')),
        range(1, 10).map(() => 'opened'),
      );
      for (const one of opened) if (one.status === 'fulfilled') await createGuest(one.value.db, 'Ada');
    } finally {
      for (const one of opened) if (one.status === 'fulfilled') await one.value[Symbol.asyncDispose]();
    }
  });

  const defaults = { off: 'on', local: 'on', remote_write: 'on', on: 'on', remote_apply: 'remote_apply' };
  for (const [byDefault, expected] of Object.entries(defaults)) {
    it(`commits with synchronous_commit = ${expected} where the database’s default is ${byDefault}`, async () => {
      await using database = await createDatabase();
      const client = new pg.Client(database.url);
      await client.connect();
      const { rows } = await client.query('select current_database() as name');
      await client.query(`alter database ${rows[0].name} set synchronous_commit = ${byDefault}`);
      await client.end();
      await using storage = await openStorage({ databaseUrl: database.url, poolSize: 3 }, silentLog);
      const show = () =>
        sql<{ synchronousCommit: string; waited: unknown }>`select current_setting('synchronous_commit') as synchronous_commit,
          pg_sleep(0.1) as waited`.execute(storage.db);
      // All connections of the pool, at once.
      const answers = await Promise.all(range(1, 3).map(show));
      for (const { rows } of answers) assert.equal(rows[0]?.synchronousCommit, expected);
    });
  }

  it('has the server keep the plan of the statement that writes sends', async () => {
    await using database = await createDatabase();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 1 }, silentLog);
    const chat = chatOn(storage.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    for (const body of ['one', 'two']) await sendMessage(chat, userId, { roomId, body });
    const { rows } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(storage.db);
    assert.deepEqual(rows, [{ name: 'sends' }]);
  });

  // The trap: a pg Pool without on('error') ends the process when a backend is terminated.
  it('goes on when its backends are terminated', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db, feedDb } = opened.storage;
    await Promise.all([ping(db), ping(db), ping(feedDb)]);
    assert.ok('databaseUrl' in opened.config);
    const client = new pg.Client(opened.config.databaseUrl);
    await client.connect();
    const { rows } = await client.query(
      `select pg_terminate_backend(pid) as ended from pg_stat_activity where application_name = 'gapless' and datname = current_database()`,
    );
    await client.end();
    assert.ok(rows.length >= 2 && rows.every(({ ended }) => ended));
    const answers = (handle: typeof db) =>
      ping(handle).then(
        () => true,
        () => false,
      );
    await until('the database answers again', async () => (await answers(db)) && (await answers(feedDb)));
  });

  it('fails a transaction whose backend is terminated between two statements, and goes on', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db, config } = opened;
    assert.ok('databaseUrl' in config);
    const client = new pg.Client(config.databaseUrl);
    await client.connect();
    const changing = db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      const left = () => client.query('select from pg_stat_activity where pid = $1', [rows[0]?.pid]);
      await until('the backend is gone', async () => (await left()).rowCount === 0);
      await ping(trx);
    });
    await assert.rejects(changing, isUnavailable);
    await client.end();
    await ping(db);
  });

  // The trap: statement_timeout alone, which no server keeps that does not answer.
  it('gives up within 5 s on a server that has vanished, and goes on once it is back', async () => {
    await using database = await createDatabase();
    const url = new URL(database.url);
    await using link = await Link.open({ host: url.hostname, port: Number(url.port || 5432) });
    url.hostname = '127.0.0.1';
    url.port = String(link.port);
    await using storage = await openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog);
    await ping(storage.db);
    link.impair({ swallowing: true });
    // The first finds a connection that is open, the second has to make one.
    const began = performance.now();
    for (const outcome of await Promise.allSettled([ping(storage.db), ping(storage.db)])) {
      assert.ok(outcome.status === 'rejected' && isUnavailable(outcome.reason));
    }
    assert.ok(performance.now() - began < 5000);
    link.impair({});
    await until('the database answers again', () =>
      ping(storage.db).then(
        () => true,
        () => false,
      ),
    );
  });

  it('uses no connection to a standby, and goes on at the primary once the same address leads there', { timeout: 120_000 }, async () => {
    await using primary = await startPostgres();
    await primary.stop();
    await using standby = await primary.copy(await freePort());
    standby.beStandby();
    await Promise.all([primary.start(), standby.start()]);
    const to = { host: '127.0.0.1', port: primary.port };
    await using link = await Link.open(to);
    const url = new URL(primary.url);
    url.port = String(link.port);
    await using storage = await openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog);
    const { db, feedDb } = storage;
    await Promise.all([ping(db), ping(feedDb)]);
    // The primary restarts, and for a while the address leads to the standby.
    to.port = standby.port;
    await primary.stop();
    await primary.start();
    const outcome = (handle: typeof db) =>
      ping(handle).then(
        () => 'answered',
        (error) => {
          if (!isUnavailable(error)) throw error;
          return error.code as string | undefined;
        },
      );
    for (const handle of [db, feedDb]) {
      await until('the standby is found', async () => (await outcome(handle)) === '25006');
      // More often than there are connections: none stays taken.
      for (const _ of range(1, 10)) assert.equal(await outcome(handle), '25006');
    }
    to.port = primary.port;
    for (const handle of [db, feedDb]) await until('the primary answers', async () => (await outcome(handle)) === 'answered');
    await createGuest(db, 'Ada');
    await Promise.all(range(1, 8).map(() => ping(db)));
  });

  it('gives up on a row that somebody else holds locked, within 5 s, and lets others go on', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db } = opened;
    const { id } = await createGuest(db, 'Ada');
    assert.ok('databaseUrl' in opened.config);
    const client = new pg.Client(opened.config.databaseUrl);
    await client.connect();
    try {
      await client.query('begin');
      await client.query('select 1 from users where id = $1 for update', [id]);
      const began = performance.now();
      const refused = assert.rejects(db.updateTable('users').set({ name: 'Grace' }).where('id', '=', id).execute());
      await createGuest(db, 'Grace');
      assert.ok(performance.now() - began < 2000);
      await refused;
      assert.ok(performance.now() - began < 5000);
    } finally {
      await client.end();
    }
  });
});
