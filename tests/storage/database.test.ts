// How the database is opened, and what its connections guarantee: durable commits, bounded waits, the primary.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import { Link } from '../../proof/rig/link.ts';
import { editMessage, sendMessage } from '../../src/chat/messages.ts';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { DatabaseFailure } from '../../src/storage/failure.ts';
import { ping } from '../../src/storage/kysely.ts';
import { getSecret } from '../../src/storage/secrets.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest, upsertUser } from '../../src/storage/users.ts';
import { recordCommits, recordedCommits, setDefault } from '../support/commits.ts';
import { collectLog } from '../support/log.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { freePort, until } from '../support/process.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, range } from '../support/storage.ts';

for (const name of storages) {
  describe(`opening ${name}`, () => {
    it('finds what was written before', async () => {
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
  it('lets ten nodes start at once on an empty database', async () => {
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
    it(`commits with synchronous_commit = ${expected} if the default of the database is ${byDefault}`, async () => {
      await using database = await createDatabase();
      await setDefault(database.url, 'synchronous_commit', byDefault);
      await using storage = await openStorage({ databaseUrl: database.url, poolSize: 3 }, silentLog);
      const { db } = storage;
      await recordCommits(db);
      const chat = chatOn(db);
      const { roomId, userId } = await createOwnedRoom(chat);
      await upsertUser(db, 'subject', 'Grace', 0);
      await getSecret(db, 'test', () => 'secret');
      const { message } = await sendMessage(chat, userId, { roomId, body: 'one' });
      await editMessage(chat, userId, message.id, 'two');
      const recorded = await recordedCommits(db);
      assert.deepEqual([...new Set(recorded.map(({ setting }) => setting))], [expected]);
      assert.deepEqual(
        recorded.map(({ table }) => table),
        ['users', 'rooms', 'memberships', 'users', 'secrets', 'messages', 'messages'],
      );
      // Nothing of it stays in the session.
      const { rows } = await sql<{ setting: string }>`select current_setting('synchronous_commit') as setting`.execute(db);
      assert.equal(rows[0]?.setting, byDefault);
    });
  }

  it('bounds each transaction in time, and leaves no such setting in the session', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const names = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];
    const settings = async (db: Db) =>
      (await sql<{ name: string; setting: string }>`select name, setting from pg_settings where name = any(${names})`.execute(db)).rows.map(
        ({ setting }) => Number(setting),
      );
    const inside = await opened.db.transaction().execute(settings);
    assert.ok(inside.length === 3 && inside.every((ms) => ms >= 1000 && ms < 5000), String(inside));
    assert.deepEqual(await settings(opened.db), [0, 0, 0]);
  });

  // A backend that waits for a lock does not notice that its client has left.
  it('cancels a statement on the server when it gives up waiting for its answer', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db, config } = opened;
    assert.ok('databaseUrl' in config);
    const client = new pg.Client(config.databaseUrl);
    await client.connect();
    try {
      await client.query('begin; lock table users');
      await assert.rejects(db.selectFrom('users').select('id').execute(), DatabaseFailure);
      const waiting = () => client.query(`select from pg_locks where relation = 'users'::regclass and not granted`);
      await until('no backend waits for the table', async () => (await waiting()).rowCount === 0, 5000);
    } finally {
      await client.end();
    }
  });

  it('makes the server keep the plan of the statement that writes sends', async () => {
    await using database = await createDatabase();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 1 }, silentLog);
    const chat = chatOn(storage.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    for (const body of ['one', 'two']) await sendMessage(chat, userId, { roomId, body });
    const { rows } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(storage.db);
    assert.deepEqual(rows, [{ name: 'sends' }]);
  });

  it('prepares no statement with DATABASE_PREPARE=off', async () => {
    await using database = await createDatabase();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 1, preparesStatements: false }, silentLog);
    const chat = chatOn(storage.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    await sendMessage(chat, userId, { roomId, body: 'Hello' });
    assert.deepEqual((await sql`select name from pg_prepared_statements`.execute(storage.db)).rows, []);
  });

  it('runs a prepared statement unnamed once the backend has lost it, and says so once', async () => {
    await using database = await createDatabase();
    const { log, lines } = collectLog();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 1 }, log);
    const chat = chatOn(storage.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    const send = async () => (await sendMessage(chat, userId, { roomId, body: 'Hello' })).message.number;
    assert.equal(await send(), 1);
    await sql`deallocate all`.execute(storage.db);
    assert.deepEqual([await send(), await send()], [2, 3]);
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, /DATABASE_PREPARE=off/.test(msg)]),
      [['warn', true]],
    );
  });

  it('is refused with a sentence if the server allows fewer connections than a node needs', async () => {
    await using database = await createDatabase();
    const role = `gapless_${crypto.randomUUID().replaceAll('-', '')}`;
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(`create role ${role} login connection limit 2; grant create on schema public to ${role}`);
    const url = new URL(database.url);
    url.username = role;
    await assert.rejects(openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^DATABASE_URL: the database at \S+ cannot be used: too many connections[^\n]*\.$/);
      return true;
    });
    await client.query(`drop owned by ${role}; drop role ${role}`);
    await client.end();
  });

  it('is refused with a sentence that names the folder of a Unix socket', async () => {
    await assert.rejects(openStorage({ databaseUrl: 'postgres:///chat?host=/run/missing', poolSize: 2 }, silentLog), {
      message: /^DATABASE_URL: the database at \/run\/missing cannot be used: /,
    });
  });

  it('is refused with a sentence if the encoding of the database is not UTF8', async () => {
    const name = `gapless_test_${crypto.randomUUID().replaceAll('-', '')}`;
    const client = new pg.Client(process.env['DATABASE_URL']);
    await client.connect();
    await client.query(`create database ${name} encoding 'LATIN1' template template0 locale 'C'`);
    try {
      const url = new URL(process.env['DATABASE_URL'] as string);
      url.pathname = `/${name}`;
      await assert.rejects(openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog), {
        message: 'DATABASE_URL: the encoding of the database is LATIN1: use a database with encoding UTF8.',
      });
    } finally {
      await client.query(`drop database ${name} with (force)`);
      await client.end();
    }
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

  it('fails a transaction whose backend is terminated between two statements, and works on', async () => {
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
    await assert.rejects(changing, DatabaseFailure);
    await client.end();
    await ping(db);
  });

  // A server that does not answer does not keep statement_timeout either.
  it('gives up within 5 s on a server that has vanished, and works on when it is back', async () => {
    await using database = await createDatabase();
    const url = new URL(database.url);
    await using link = await Link.open({ host: url.hostname, port: Number(url.port || 5432) });
    url.hostname = '127.0.0.1';
    url.port = String(link.port);
    await using storage = await openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog);
    await ping(storage.db);
    link.impair({ droppingAll: true });
    // The first uses an open connection, the second opens one.
    const began = performance.now();
    for (const outcome of await Promise.allSettled([ping(storage.db), ping(storage.db)])) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof DatabaseFailure);
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

  it('uses no connection to a standby, and works on when the same address leads to the primary', { timeout: 120_000 }, async () => {
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
          if (!(error instanceof DatabaseFailure)) throw error;
          return error.code as string | undefined;
        },
      );
    for (const handle of [db, feedDb]) {
      await until('the standby is found', async () => (await outcome(handle)) === '25006');
      // More often than there are connections: no connection is leaked.
      for (const _ of range(1, 10)) assert.equal(await outcome(handle), '25006');
    }
    to.port = primary.port;
    for (const handle of [db, feedDb]) await until('the primary answers', async () => (await outcome(handle)) === 'answered');
    await createGuest(db, 'Ada');
    await Promise.all(range(1, 8).map(() => ping(db)));
  });

  it('gives up within 5 s on a row that another transaction holds locked, and does not delay others', async () => {
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
      let isRefused = false;
      const refused = assert.rejects(db.updateTable('users').set({ name: 'Grace' }).where('id', '=', id).execute()).then(() => {
        isRefused = true;
      });
      await createGuest(db, 'Grace');
      assert.equal(isRefused, false, 'another statement is answered while this one waits');
      await refused;
      assert.ok(performance.now() - began < 5000);
    } finally {
      await client.end();
    }
  });
});
