// A role or database whose defaults differ from those of PostgreSQL.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { setDefault } from '../support/commits.ts';
import { collectLog } from '../support/log.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { until } from '../support/process.ts';
import { Guest, silentLog, startServer } from '../support/server.ts';
import { useWholeChat } from '../support/whole-chat.ts';

const hostile: Record<string, string> = {
  datestyle: "'German, DMY'",
  timezone: "'Asia/Kathmandu'",
  intervalstyle: "'sql_standard'",
  bytea_output: "'escape'",
  search_path: "'elsewhere'",
  array_nulls: 'off',
  extra_float_digits: '-15',
  default_transaction_isolation: "'serializable'",
  default_transaction_deferrable: 'on',
  statement_timeout: "'200ms'",
  lock_timeout: "'1ms'",
  idle_in_transaction_session_timeout: "'200ms'",
  lc_messages: "'C'",
  client_encoding: "'LATIN1'",
  standard_conforming_strings: 'off',
  synchronous_commit: 'off',
  client_min_messages: "'error'",
};

/** A database with these defaults, half of them of the database and half of the role. */
async function createHostileDatabase(): Promise<{ url: string } & AsyncDisposable> {
  const database = await createDatabase();
  const role = `gapless_${crypto.randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query(`create role ${role} login superuser`);
  const settings = Object.entries(hostile);
  for (const [index, [name, value]] of settings.entries()) {
    if (index % 2 === 0) await setDefault(database.url, name, value);
    else await client.query(`alter role ${role} set ${name} = ${value}`);
  }
  const url = new URL(database.url);
  url.username = role;
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await client.end();
      await database[Symbol.asyncDispose]();
      const admin = new pg.Client(process.env['DATABASE_URL']);
      await admin.connect();
      await admin.query(`drop role ${role}`);
      await admin.end();
    },
  };
}

describe('a database with defaults of its own', { timeout: 120_000 }, () => {
  it('serves the whole chat, and the log says once which of them cost time', async () => {
    await using database = await createHostileDatabase();
    const { log, lines } = collectLog();
    await using server = await startServer({ env: { DATABASE_URL: database.url, IDENTITY: 'guest', RETENTION_DAYS: '30' }, log });
    await useWholeChat(server);
    const warnings = lines.filter(({ msg }) => msg.includes('has defaults'));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0]?.msg ?? '',
      /: default_transaction_isolation, datestyle, array_nulls, statement_timeout, lock_timeout; each statement/,
    );
  });

  it('serves the whole chat behind a pooler in transaction mode', async () => {
    await using database = await createHostileDatabase();
    await using pooler = await startPgBouncer(database.url, 3);
    await using server = await startServer({ env: { DATABASE_URL: pooler.url, IDENTITY: 'guest', RETENTION_DAYS: '30' } });
    await useWholeChat(server);
  });

  it('is refused with a sentence if it is read-only, which may be meant', async () => {
    await using database = await createDatabase();
    await setDefault(database.url, 'default_transaction_read_only', 'on');
    await assert.rejects(openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^DATABASE_URL: the database at \S+ cannot be used: it is read-only, because [^\n]+\.$/);
      return true;
    });
  });

  it('is shown as unavailable while it is made read-only under open sessions', async () => {
    await using postgres = await startPostgres();
    const { log, lines } = collectLog();
    await using server = await startServer({ env: { DATABASE_URL: postgres.url, IDENTITY: 'guest' }, log });
    const ready = async () => (await (await fetch(new URL('/ready', server.url))).json()) as { database: string; databaseFailure?: string };
    const admin = new pg.Client(postgres.url);
    await admin.connect();
    await admin.query('alter system set default_transaction_read_only = on');
    await admin.query('select pg_reload_conf()');
    await until('the node knows', async () => (await ready()).database === 'unavailable');
    assert.equal((await ready()).databaseFailure, '25006');
    assert.ok(lines.some(({ level, error }) => level === 'warn' && (error as { code?: string } | undefined)?.code === '25006'));
    await admin.end();
    await postgres.stop();
    await postgres.start({ default_transaction_read_only: 'off' });
    await until('the node knows', async () => (await ready()).database === 'ok');
    await until('the database takes writes', () =>
      Guest.signIn(server.url).then(
        () => true,
        () => false,
      ),
    );
  });
});
