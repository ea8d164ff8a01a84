// DATABASE_SCHEMA: a database that is shared with other applications.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { storedName, tableNames } from '../../src/storage/tables.ts';
import { setDefault } from '../support/commits.ts';
import { collectLog } from '../support/log.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';
import { silentLog, startServer } from '../support/server.ts';
import { useWholeChat } from '../support/whole-chat.ts';

/** A name that has to be quoted. */
const schema = 'My "Chat"';

async function connectTo(url: string) {
  const client = new pg.Client(url);
  await client.connect();
  return {
    /** The first column of each row of the last statement. */
    async ask(text: string, values: unknown[] = []): Promise<unknown[]> {
      const { rows } = [await client.query({ text, values, rowMode: 'array' })].flat().at(-1) as pg.QueryResult;
      return (rows as unknown[][]).map(([first]) => first);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

const tablesIn =
  'select relname from pg_class where relnamespace = to_regnamespace(quote_ident($1)) and relkind = any($2) and not relispartition order by relname';

async function refusalOf(config: { databaseUrl: string; schema?: string }): Promise<string> {
  try {
    await (await openStorage({ poolSize: 2, ...config }, silentLog))[Symbol.asyncDispose]();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, /^[^\n]+\.$/);
    return error.message;
  }
  throw new Error('The database was accepted.');
}

describe('a schema of its own', { timeout: 120_000 }, () => {
  it('holds all tables, and the chat works whatever search_path says', async () => {
    await using database = await createDatabase();
    await using admin = await connectTo(database.url);
    // Tables of another application have the same names, and come first.
    await admin.ask('create schema other');
    for (const name of tableNames) await admin.ask(`create table other.${storedName(name)} ()`);
    await setDefault(database.url, 'search_path', "'other'");
    const env = { DATABASE_URL: database.url, IDENTITY: 'guest', DATABASE_SCHEMA: schema, RETENTION_DAYS: '30' };
    await using server = await startServer({ env });
    await useWholeChat(server);
    assert.deepEqual(await admin.ask(tablesIn, ['public', ['r', 'p']]), []);
    const expected = [...tableNames.map(storedName), 'gapless_migration', 'gapless_migration_lock'].toSorted();
    assert.deepEqual(await admin.ask(tablesIn, [schema, ['r', 'p']]), expected);
    await server.restart();
    await useWholeChat(server);
  });

  it('works behind a pooler in transaction mode', async () => {
    await using database = await createDatabase();
    await using pooler = await startPgBouncer(database.url, 3);
    const env = { DATABASE_URL: pooler.url, IDENTITY: 'guest', DATABASE_SCHEMA: schema, RETENTION_DAYS: '30' };
    await using server = await startServer({ env });
    await useWholeChat(server);
  });

  it('keeps two chats in one database apart', async () => {
    await using database = await createDatabase();
    await using first = await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog);
    await using second = await openStorage({ databaseUrl: database.url, poolSize: 2, schema: 'second' }, silentLog);
    const values = { id: 'user_1', name: 'Ada', nameFolded: 'ADA' };
    for (const { db } of [first, second]) await db.insertInto('users').values(values).execute();
    await first.db.deleteFrom('users').execute();
    assert.equal((await second.rows.users(['user_1'])).length, 1);
    assert.equal((await first.rows.users(['user_1'])).length, 0);
  });

  it('has functions that name it, and not the search_path of whoever calls them', async () => {
    await using database = await createDatabase();
    await using _storage = await openStorage({ databaseUrl: database.url, poolSize: 2, schema }, silentLog);
    await using admin = await connectTo(database.url);
    const paths = await admin.ask(
      `select proconfig::text from pg_proc where proname like 'gapless%' and pronamespace = to_regnamespace(quote_ident($1))`,
      [schema],
    );
    assert.ok(paths.length > 0);
    for (const path of paths) assert.match(String(path), /search_path=.*My .*Chat.*, pg_temp/);
  });
});

describe('a schema that is shared with another application that uses Kysely', { timeout: 120_000 }, () => {
  const migrateOther = async (url: string, names: string[]) => {
    await using other = {
      db: new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) }),
      [Symbol.asyncDispose]() {
        return this.db.destroy();
      },
    };
    const migrations = Object.fromEntries(names.map((name) => [name, { up: async () => {} }]));
    const { error } = await new Migrator({ db: other.db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
    if (error) throw error;
  };

  it('is migrated by both, in any order', async () => {
    await using database = await createDatabase();
    await migrateOther(database.url, ['001-first']);
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    await migrateOther(database.url, ['001-first', '002-second']);
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
  });

  it('may get the other application later', async () => {
    await using database = await createDatabase();
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    await migrateOther(database.url, ['001-first']);
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
  });
});

describe('a role with few rights', { timeout: 120_000 }, () => {
  /** A role that may connect to a database, and nothing else. */
  async function createRole() {
    await using opened = new AsyncDisposableStack();
    const database = opened.use(await createDatabase());
    const admin = opened.use(await connectTo(database.url));
    const role = `gapless_${crypto.randomUUID().replaceAll('-', '')}`;
    await admin.ask(`create role ${role} login`);
    const url = new URL(database.url);
    url.username = role;
    opened.defer(async () => void (await admin.ask(`drop owned by ${role} cascade; drop role ${role}`)));
    const toClose = opened.move();
    return { admin, role, databaseUrl: url.href, ownerUrl: database.url, [Symbol.asyncDispose]: () => toClose.disposeAsync() };
  }

  it('gets the grant in a sentence: it may not create the schema', async () => {
    await using place = await createRole();
    const sentence = await refusalOf({ databaseUrl: place.databaseUrl, schema });
    assert.match(sentence, new RegExp(`^DATABASE_SCHEMA: the role ${place.role} may not create the schema "My ""Chat"""`));
    const [, grant] = /run (create schema .*), or grant/.exec(sentence) ?? [];
    await place.admin.ask(grant as string);
    await (await openStorage({ databaseUrl: place.databaseUrl, poolSize: 2, schema }, silentLog))[Symbol.asyncDispose]();
  });

  for (const [name, prepare] of [
    ['it may not use the schema', 'create schema chat'],
    ['it may not create tables', 'create schema chat; grant usage on schema chat to public'],
  ] as const) {
    it(`gets the grant in a sentence: ${name}`, async () => {
      await using place = await createRole();
      await place.admin.ask(prepare);
      const sentence = await refusalOf({ databaseUrl: place.databaseUrl, schema: 'chat' });
      const [, grant] = /^DATABASE_URL: the role \w+ may not .* the schema chat: run (grant .*)\.$/.exec(sentence) ?? [];
      assert.ok(grant, sentence);
      await place.admin.ask(grant);
      await (await openStorage({ databaseUrl: place.databaseUrl, poolSize: 2, schema: 'chat' }, silentLog))[Symbol.asyncDispose]();
    });
  }

  it('gets the grant in a sentence: another role has migrated the tables', async () => {
    await using place = await createRole();
    await (await openStorage({ databaseUrl: place.ownerUrl, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    const sentence = await refusalOf({ databaseUrl: place.databaseUrl });
    const [, grant] = /^DATABASE_URL: the role \w+ may not .*: run (grant .*)\.$/.exec(sentence) ?? [];
    assert.ok(grant, sentence);
    await place.admin.ask(grant);
    const env = { DATABASE_URL: place.databaseUrl, IDENTITY: 'guest', RETENTION_DAYS: '30' };
    await using server = await startServer({ env });
    await useWholeChat(server);
  });

  it('is told to let the owner migrate once, if it does not own the tables', async () => {
    await using place = await createRole();
    await (await openStorage({ databaseUrl: place.ownerUrl, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    await place.admin.ask(`delete from gapless_migration where name >= '0003-search-path';
      grant create on schema public to ${place.role}; grant all on all tables in schema public to ${place.role}`);
    assert.match(
      await refusalOf({ databaseUrl: place.databaseUrl }),
      /^DATABASE_URL: the role \w+ may not migrate the tables in the schema public \(must be owner of .*\): start this version once as the role that owns them\.$/,
    );
  });
});

describe('tables that are there already', { timeout: 120_000 }, () => {
  it('are found where search_path led the earlier version, and a sentence names the setting', async () => {
    await using database = await createDatabase();
    await (await openStorage({ databaseUrl: database.url, poolSize: 2, schema: 'chat' }, silentLog))[Symbol.asyncDispose]();
    await setDefault(database.url, 'search_path', "'chat'");
    assert.equal(
      await refusalOf({ databaseUrl: database.url }),
      'DATABASE_SCHEMA is not set, but the tables are in the schema chat, which search_path names: set DATABASE_SCHEMA=chat.',
    );
    // Whoever names the schema means it.
    await (await openStorage({ databaseUrl: database.url, poolSize: 2, schema: 'public' }, silentLog))[Symbol.asyncDispose]();
  });

  it('are not in the schema that the URL names for Prisma, and the log says so', async () => {
    await using database = await createDatabase();
    const url = new URL(database.url);
    url.searchParams.set('schema', 'app');
    for (const [schema, warnings] of [
      ['app', 0],
      ['public', 1],
    ] as const) {
      const { log, lines } = collectLog();
      await (await openStorage({ databaseUrl: url.href, poolSize: 2, schema }, log))[Symbol.asyncDispose]();
      assert.equal(lines.length, warnings);
      for (const line of lines) assert.match(String(line['msg']), /schema app, which has no effect: set DATABASE_SCHEMA/);
    }
  });

  it('of a newer version are used, and the log names its migrations', async () => {
    await using database = await createDatabase();
    await using admin = await connectTo(database.url);
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    await admin.ask(`insert into gapless_migration values ('9998-later', '2099-01-01T00:00:00.000Z')`);
    const { log, lines } = collectLog();
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, log))[Symbol.asyncDispose]();
    assert.deepEqual(
      lines.map(({ level, migrations }) => [level, migrations]),
      [['warn', ['9998-later']]],
    );
  });

  it('of a newer version that has removed what this version uses are refused with a sentence', async () => {
    await using database = await createDatabase();
    await using admin = await connectTo(database.url);
    await (await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog))[Symbol.asyncDispose]();
    await admin.ask(`insert into gapless_migration values ('9999-contract-users', '2099-01-01T00:00:00.000Z')`);
    assert.match(
      await refusalOf({ databaseUrl: database.url }),
      /newer version of Gapless \(its migration 9999-contract-users\).* start the newer version/,
    );
  });
});

it('every statement names its tables with their schema', () => {
  const names = tableNames.map(storedName).join('|');
  const bare = new RegExp(`\\b(?:from|join|into|update|only|truncate|table) "?(?:${names})\\b`, 'i');
  // Migrations run with a search_path of their own.
  const files = globSync(['src/storage/*.ts', 'src/chat/*.ts', 'src/feed/*.ts']);
  assert.ok(files.length > 40);
  for (const file of files) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (/^\s*(\/\/|\*|\/\*\*)/.test(line)) continue;
      assert.doesNotMatch(line, bare, `${file}: write \${table('…')} in place of the name`);
    }
  }
});
