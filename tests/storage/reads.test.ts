// The reads of requests: at most four of a viewer run at once, and those of a request that has ended are cancelled.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { openStorage } from '../../src/storage/database.ts';
import type { Db } from '../../src/storage/tables.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';
import { openTestStorage, range } from '../support/storage.ts';

const request = (userId?: string) => {
  const controller = new AbortController();
  const viewer = userId === undefined ? undefined : { userId };
  return { reader: { viewer, ended: () => controller.signal }, end: () => controller.abort(new Error('ended')) };
};
const run = (db: Db, statement: RawBuilder<unknown>) => statement.execute(db);
/** A statement that runs until it is cancelled. */
const endless = sql`select pg_sleep(60)`;

/** PostgreSQL, directly or through PgBouncer in transaction mode, and a connection that observes its backends. */
async function openServer(way: 'directly' | 'through PgBouncer', poolSize = 10) {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createDatabase());
  const { url } = way === 'directly' ? database : opened.use(await startPgBouncer(database.url, 12));
  const storage = opened.use(await openStorage({ databaseUrl: url, poolSize }, silentLog));
  const observer = new pg.Client(database.url);
  await observer.connect();
  opened.defer(() => observer.end());
  const running = async () => {
    const { rows } = await observer.query(`select count(*)::int as count from pg_stat_activity
      where state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid() and datname = current_database()`);
    return rows[0].count as number;
  };
  const toClose = opened.move();
  return { storage, running, observer, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}

describe('the reads of a viewer', () => {
  it('run four at a time, in all requests together, and do not delay another viewer', async () => {
    await using server = await openServer('directly');
    const { storage, running, observer } = server;
    const [one, two, bobs] = [request('ada'), request('ada'), request('bob')];
    const done: number[] = [];
    const reads = range(1, 10).map((i) =>
      run(storage.reads((i % 2 ? one : two).reader), sql`select pg_sleep(case when ${i}::int <= 4 then 60 else 0 end)`).then(
        () => done.push(i),
        () => {},
      ),
    );
    await until('four run', async () => (await running()) === 4);
    await run(storage.reads(bobs.reader), sql`select 1`);
    await run(storage.reads(request().reader), sql`select 1`);
    assert.deepEqual([await running(), done], [4, []]);
    await observer.query(`select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()`);
    await Promise.all(reads);
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      range(5, 10),
    );
  });

  it('without a token have a share for each request', async () => {
    await using server = await openServer('directly');
    const requests = [request(), request()];
    const readers = requests.map(({ reader }) => server.storage.reads(reader));
    const reads = range(1, 12).map((i) => run(readers[i % 2] as Db, endless));
    const settled = Promise.allSettled(reads);
    await until('four of each run', async () => (await server.running()) === 8);
    for (const { end } of requests) end();
    await settled;
  });

  for (const way of ['directly', 'through PgBouncer'] as const) {
    it(`are cancelled when their request ends, ${way}, and their connections are used again`, async () => {
      await using server = await openServer(way);
      const { storage, running } = server;
      const ada = request('ada');
      const db = storage.reads(ada.reader);
      const reads = range(1, 10).map(() => run(db, endless));
      const settled = Promise.allSettled(reads);
      await until('four run', async () => (await running()) === 4);
      ada.end();
      // Sooner than a statement is cancelled because it was not answered in time.
      await until('none runs', async () => (await running()) === 0, 2500);
      for (const outcome of await settled) assert.ok(outcome.status === 'rejected' && outcome.reason.message === 'ended', String(outcome));
      await assert.rejects(run(db, sql`select 1`), /ended/);
      // Each of the connections answers, and none of the cancellations concerns another statement.
      const next = storage.reads(request('ada').reader);
      for (const _ of range(1, 50)) await Promise.all(range(1, 10).map(() => run(next, sql`select pg_sleep(0.001)`)));
    });

    it(`are cancelled on the server when it does not answer in time, ${way}`, async () => {
      await using server = await openServer(way);
      await assert.rejects(run(server.storage.db, endless));
      await until('none runs', async () => (await server.running()) === 0, 1000);
    });
  }

  it('are not started if their request ends while they wait for a connection', async () => {
    await using server = await openServer('directly', 1);
    const { storage, running } = server;
    const other = run(storage.db, sql`select pg_sleep(0.5)`);
    await until('the connection is in use', async () => (await running()) === 1);
    const ada = request('ada');
    const waiting = assert.rejects(run(storage.reads(ada.reader), sql`insert into secrets (name, value) values ('read', '')`), /ended/);
    ada.end();
    await Promise.all([other, waiting]);
    assert.deepEqual(await storage.db.selectFrom('secrets').select('name').where('name', '=', 'read').execute(), []);
  });

  it('of the embedded database are not started if their request ends before', async () => {
    await using opened = await openTestStorage('PGlite');
    const { storage, db } = opened;
    const other = run(db, sql`select count(*) from generate_series(1, 1000000)`);
    const ada = request('ada');
    const write = () => run(storage.reads(ada.reader), sql`insert into secrets (name, value) values (gen_random_uuid()::text, 'read')`);
    const waiting = range(1, 10).map(() => assert.rejects(write(), /ended/));
    ada.end();
    await Promise.all([other, ...waiting]);
    assert.deepEqual(await db.selectFrom('secrets').select('name').where('value', '=', 'read').execute(), []);
  });

  it('are single statements', async () => {
    await using opened = await openTestStorage('PGlite');
    await assert.rejects(
      opened.storage
        .reads(request('ada').reader)
        .transaction()
        .execute(async () => {}),
      /single statement/,
    );
  });
});
