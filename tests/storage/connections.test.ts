// A database or pooler that refuses connections: the node says so once, and once more when it recovers.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { collectLog } from '../support/log.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';
import { until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { range } from '../support/storage.ts';

const ready = async (url: string) =>
  (await (await fetch(new URL('/ready', url))).json()) as {
    database: string;
    databaseFailure?: string;
    counts: { database: { connectionsRefused: number } };
  };

describe('a node whose database refuses connections', { timeout: 120_000 }, () => {
  it('says why once when they are refused, and once when they are accepted again', async () => {
    await using database = await createDatabase();
    const role = `gapless_${crypto.randomUUID().replaceAll('-', '')}`;
    const admin = new pg.Client(database.url);
    await admin.connect();
    await admin.query(`create role ${role} login; grant create on schema public to ${role}`);
    const url = new URL(database.url);
    url.username = role;
    const { log, lines } = collectLog();
    {
      await using server = await startServer({ env: { DATABASE_URL: url.href, IDENTITY: 'guest', DATABASE_POOL_SIZE: '4' }, log });
      await Guest.signIn(server.url);
      assert.equal((await ready(server.url)).databaseFailure, undefined);
      const told = (text: string) => lines.filter(({ msg }) => msg.includes(text));

      await admin.query(`alter role ${role} nologin`);
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
      await until('the node says so', () => told('refuses connections').length > 0);
      await until('the probe fails', async () => (await ready(server.url)).database === 'unavailable');
      await Promise.all(range(1, 5).map(() => Guest.signIn(server.url).catch(() => {})));
      assert.equal((await ready(server.url)).databaseFailure, '28000');
      assert.ok((await ready(server.url)).counts.database.connectionsRefused > 1);

      await admin.query(`alter role ${role} login`);
      await until('the node says that it is over', () => told('accepts connections again').length > 0);
      await until('the probe succeeds', async () => (await ready(server.url)).database === 'ok');
      assert.equal((await ready(server.url)).databaseFailure, undefined);
      await Guest.signIn(server.url);
      assert.deepEqual(
        [told('refuses connections'), told('accepts connections again')].map((found) => found.map(({ level, msg }) => [level, msg])),
        [
          [['warn', `the database refuses connections: role "${role}" is not permitted to log in`]],
          [['info', 'the database accepts connections again']],
        ],
      );
    }
    await admin.query(`drop owned by ${role} cascade; drop role ${role}`);
    await admin.end();
  });

  it('says so while the probe still has its connection', async () => {
    await using database = await createDatabase();
    await using pooler = await startPgBouncer(database.url, 3, { max_client_conn: '4' });
    const { log, lines } = collectLog();
    await using server = await startServer({ env: { DATABASE_URL: pooler.url, IDENTITY: 'guest' }, log });
    await Promise.all(range(1, 30).map(() => Guest.signIn(server.url).catch(() => {})));
    await until('the node says so', () => lines.some(({ msg }) => msg.includes('the database refuses connections: ')));
    const { databaseFailure } = await ready(server.url);
    assert.ok(databaseFailure === undefined || databaseFailure === '08P01');
  });
});
