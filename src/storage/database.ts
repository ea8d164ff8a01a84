// Opens the place where things are kept: PGlite in a folder, or PostgreSQL. What differs between them ends here.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PGlite } from '@electric-sql/pglite';
import {
  CamelCasePlugin,
  type Dialect,
  HandleEmptyInListsPlugin,
  Kysely,
  PGliteDialect,
  PostgresDialect,
  replaceWithNoncontingentExpression,
  sql,
} from 'kysely';
import pg from 'pg';
import { type Config, ConfigError } from '../config.ts';
import type { Log } from '../log.ts';
import { DatabaseFailure, reportFailures } from './failure.ts';
import { migrate } from './migrate.ts';
import { Rows } from './rows.ts';
import type { Database, Db } from './tables.ts';

/** How long a statement may wait for a lock, run, or stay unanswered. */
const lockTimeoutMs = 3000;
const statementTimeoutMs = 4000;
const answerTimeoutMs = 4500;
const connectTimeoutMs = 3000;
/** At most so many reads at once for those who watch, on connections of their own: a crowd that resumes does not hold up sends. */
const feedReaders = 4;

export interface Storage extends AsyncDisposable {
  readonly db: Db;
  readonly rows: Rows;
  /** The same database, for those who watch: feeds, and what their events show. */
  readonly feedDb: Db;
  readonly feedRows: Rows;
}

/** Opens it and brings its tables up to date. Throws ConfigError where a setting is at fault. */
export async function openStorage(config: Config['storage'], log: Log): Promise<Storage> {
  return 'dataDir' in config ? openFolder(config.dataDir) : openServer(config.databaseUrl, config.poolSize, log);
}

/** Whether the database answers: resolves, or throws why not. */
export async function ping(db: Db): Promise<void> {
  await sql`select 1`.execute(db);
}

async function openFolder(dataDir: string): Promise<Storage> {
  const lock = lockFolder(dataDir);
  const db = kysely(new PGliteDialect({ pglite: () => new PGlite(join(dataDir, 'pglite')) }));
  const close = async () => {
    await db.destroy();
    lock.close();
  };
  try {
    await migrate(db);
  } catch (error) {
    await close();
    throw error;
  }
  const rows = new Rows(db);
  return { db, rows, feedDb: db, feedRows: rows, [Symbol.asyncDispose]: close };
}

// PGlite opens a folder that is open elsewhere without a word, and then loses one side's rows. SQLite, which comes with
// Node, holds a lock of the operating system on a file of its own for us: it dies with the process, however that ends.
function lockFolder(dataDir: string): DatabaseSync {
  try {
    mkdirSync(dataDir, { recursive: true });
    const lock = new DatabaseSync(join(dataDir, 'lock'), { timeout: 0 });
    lock.exec('pragma journal_mode = memory; begin exclusive');
    return lock;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.includes('locked')) {
      throw new ConfigError(`DATA_DIR ${dataDir} is in use by another Gapless: stop that one, or give this one a folder of its own.`);
    }
    throw new ConfigError(`DATA_DIR ${dataDir} cannot be used: ${reason}.`);
  }
}

async function openServer(databaseUrl: string, poolSize: number, log: Log): Promise<Storage> {
  const connect = (options: pg.PoolConfig) => {
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: 'gapless',
      types: { getTypeParser },
      Client: BoundedClient,
      onConnect,
      ...options,
    });
    // Without a listener, a backend that is terminated while idle would end this process.
    pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
    return kysely(new PostgresDialect({ pool }));
  };
  {
    // No bounds on time here: while one node migrates, the others wait for it.
    await using db = connect({ max: 1 });
    try {
      await migrate(db);
    } catch (error) {
      throw refusedAtStart(error, databaseUrl) ?? error;
    }
  }
  const bounds = {
    lock_timeout: lockTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: answerTimeoutMs,
    idle_in_transaction_session_timeout: answerTimeoutMs,
  };
  const db = connect({ ...bounds, max: poolSize });
  const feedDb = connect({ ...bounds, max: feedReaders });
  return {
    db,
    rows: new Rows(db),
    feedDb,
    feedRows: new Rows(feedDb),
    async [Symbol.asyncDispose]() {
      await Promise.all([db.destroy(), feedDb.destroy()]);
    },
  };
}

/** How a statement begins that is asked for so often that the server is to keep its plan, and by which name. */
const preparedName = /^\/\* prepared: (\w+) \*\//;

/** A client that does not outlive a query without an answer: what waits on its connection would wait behind that. */
class BoundedClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    // Lost between two statements of a transaction, when the pool does not listen: the next statement says so.
    this.on('error', () => {});
  }

  // biome-ignore lint/suspicious/noExplicitAny: passes on whatever form of query it is handed
  override query(...args: any[]): any {
    const [text, values] = args;
    const name = typeof text === 'string' ? preparedName.exec(text)?.[1] : undefined;
    const query = name === undefined ? args : [{ name, text, values }];
    const answer = (super.query as (...query: unknown[]) => unknown).apply(this, query);
    if (answer instanceof Promise) {
      answer.catch((error: Error) => {
        if (error.message === 'Query read timeout') this.connection.stream.destroy(error);
      });
    }
    return answer;
  }
}

/** SQLSTATE of a server that takes no writes: unavailable, that is, until the primary is found. */
const readOnly = '25006';

/** The sentence for a database that cannot be used. It never contains the password. Undefined for any other error. */
function refusedAtStart(error: unknown, databaseUrl: string): ConfigError | undefined {
  if (!(error instanceof DatabaseFailure)) return undefined;
  return new ConfigError(`DATABASE_URL: the database at ${new URL(databaseUrl).host} cannot be used: ${error.message}.`);
}

// PGlite gives numbers for int8; so does this. Nothing here outgrows 2^53.
const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format);

/**
 * What is made sure of before a connection is used. A connection that fails here is dropped, and the next one is made anew.
 *
 * - It leads to the primary. Behind a name or proxy that has yet to follow a failover may be a standby, which takes no
 *   writes, and whose log ends in the past. A primary cannot become one without ending its connections.
 * - An answer means that the row outlives a crash of the server, whatever its default says. A stronger setting stays.
 */
async function onConnect(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>(`
    select pg_is_in_recovery() as standby, case when current_setting('synchronous_commit') not in ('on', 'remote_apply')
      then set_config('synchronous_commit', 'on', false) end`);
  if (rows[0]?.standby) throw Object.assign(new Error('the server is a standby, which takes no writes'), { code: readOnly });
}

// An empty list is in nobody's way: `in ()` is no SQL, and finding nothing among no ids is no mistake.
const plugins = [new CamelCasePlugin(), new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })];

function kysely(dialect: Dialect): Db {
  return new Kysely<Database>({ dialect: reportFailures(dialect), plugins });
}
