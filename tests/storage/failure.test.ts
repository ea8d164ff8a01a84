// Every failure of the database leaves storage as a DatabaseFailure.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { DatabaseFailure } from '../../src/storage/failure.ts';
import { newId } from '../../src/storage/id.ts';
import { ping } from '../../src/storage/kysely.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { startPostgres } from '../support/postgres.ts';
import { silentLog, storages } from '../support/server.ts';
import { openTestStorage, range, type TestStorage } from '../support/storage.ts';

/** The failure with which `work` rejects. */
async function failureOf(work: Promise<unknown>): Promise<DatabaseFailure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DatabaseFailure, `expected a DatabaseFailure, got ${String(error)}`);
  assert.ok(error.cause !== undefined && error instanceof DatabaseFailure);
  return error;
}

for (const name of storages) {
  describe(`a failure of ${name}`, () => {
    let opened: TestStorage;
    let db: Db;
    before(async () => {
      opened = await openTestStorage(name);
      db = opened.db;
    });
    after(() => opened[Symbol.asyncDispose]());

    const statements = {
      '42P01': 'select * from nowhere',
      '42601': 'selec',
      '22012': 'select 1 / 0',
      '23502': 'insert into users (id) values (null)',
      '22P02': `select 'x'::int`,
      '57014': `do $$ begin raise exception 'cancelled' using errcode = '57014'; end $$`,
      '55000': `do $$ begin raise exception 'being replaced' using errcode = '55000'; end $$`,
      P0001: `do $$ begin raise exception 'anything'; end $$`,
    };
    for (const [code, statement] of Object.entries(statements)) {
      it(`is a DatabaseFailure, in a transaction too: ${code}`, async () => {
        assert.equal((await failureOf(sql.raw(statement).execute(db))).code, code);
        assert.equal((await failureOf(db.transaction().execute((trx) => sql.raw(statement).execute(trx)))).code, code);
        await ping(db);
      });
    }

    it('names the constraint that was violated', async () => {
      const { id } = await createGuest(db, 'Ada');
      const again = db.insertInto('users').values({ id, name: 'Ada', nameFolded: 'ADA' }).execute();
      const { code, constraint, isOfData } = await failureOf(again);
      assert.deepEqual({ code, constraint, isOfData }, { code: '23505', constraint: 'users_pkey', isOfData: true });
    });

    it('is not an error that our own code throws in a transaction, which passes unchanged and rolls back', async () => {
      const own = new RangeError('ours');
      const changing = db.transaction().execute(async (trx) => {
        await trx
          .insertInto('users')
          .values({ id: newId('user'), name: 'Nobody', nameFolded: 'NOBODY' })
          .execute();
        throw own;
      });
      assert.equal(await changing.catch((error) => error), own);
      assert.deepEqual(await db.selectFrom('users').select('id').where('name', '=', 'Nobody').execute(), []);
    });

    it('is the commit of a transaction whose failed statement was ignored', async () => {
      const changing = db.transaction().execute(async (trx) => {
        await trx
          .insertInto('users')
          .values({ id: newId('user'), name: 'Lost', nameFolded: 'LOST' })
          .execute();
        await sql`select 1 / 0`.execute(trx).catch(() => {});
      });
      await failureOf(changing);
      assert.deepEqual(await db.selectFrom('users').select('id').where('name', '=', 'Lost').execute(), []);
    });
  });
}

describe('a failure to reach PostgreSQL', () => {
  it('is a DatabaseFailure if its Unix socket is gone, and ends when the socket is back', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gapless-socket-'));
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o777);
    const postgres = cleanup.use(await startPostgres({ unix_socket_directories: folder }));
    const databaseUrl = `postgres:///postgres?host=${folder}&port=${postgres.port}&user=postgres`;
    const storage = cleanup.use(await openStorage({ databaseUrl, poolSize: 2 }, silentLog));
    await postgres.stop();
    const codes = new Set<string | undefined>();
    for (const _ of range(1, 5)) codes.add((await failureOf(createGuest(storage.db, 'Ada'))).code);
    assert.ok(codes.has('ENOENT'), `codes: ${[...codes]}`);
    await postgres.start();
    await createGuest(storage.db, 'Ada');
  });

  it('is a DatabaseFailure if the database refuses connections', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    const { db, config } = opened;
    assert.ok('databaseUrl' in config);
    const url = new URL(config.databaseUrl);
    const name = url.pathname.slice(1);
    url.pathname = '/postgres';
    const client = new pg.Client(url.href);
    await client.connect();
    const endConnections = () =>
      client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()', [name]);
    try {
      await client.query(`alter database ${name} allow_connections false`);
      await endConnections();
      const failures = [];
      for (const _ of range(1, 4)) failures.push(await failureOf(createGuest(db, 'Ada')));
      assert.equal(failures.at(-1)?.code, '55000');
      await client.query(`alter database ${name} allow_connections true`);
      await createGuest(db, 'Ada');
    } finally {
      await client.end();
    }
  });

  it('is a DatabaseFailure if every connection of the pool is in use', async () => {
    await using opened = await openTestStorage('PostgreSQL');
    assert.ok('databaseUrl' in opened.config);
    await using storage = await openStorage({ databaseUrl: opened.config.databaseUrl, poolSize: 2 }, silentLog);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const holding = range(1, 2).map(() => storage.db.transaction().execute(() => released));
    await failureOf(ping(storage.db));
    release();
    await Promise.all(holding);
    await ping(storage.db);
  });

  it('ends a start with a ConfigError if the settings require TLS and the server has none', async () => {
    const url = new URL(process.env['DATABASE_URL'] as string);
    url.searchParams.set('sslmode', 'require');
    await assert.rejects(openStorage({ databaseUrl: url.href, poolSize: 2 }, silentLog), ConfigError);
  });
});
