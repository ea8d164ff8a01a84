// PostgreSQL: two pools of connections to the primary, one for requests and one for feeds. It may be behind a pooler in
// transaction mode, so that no session setting and no startup parameter is used.

import pg from 'pg';
import { ConfigError } from '../config.ts';
import type { Log } from '../log.ts';
import type { Storage } from './database.ts';
import { DatabaseFailure } from './failure.ts';
import { openKysely } from './kysely.ts';
import { migrate } from './migrate.ts';
import { Rows } from './rows.ts';
import { ServerClient } from './server-client.ts';
import { type Bounds, ServerDialect } from './server-dialect.ts';
import type { Db } from './tables.ts';

/** How long to wait for a lock, for a statement on the server, for its answer here, and for a connection. */
const lockTimeoutMs = 3000;
const statementTimeoutMs = 4000;
const answerTimeoutMs = 4500;
const connectTimeoutMs = 3000;
/** Connections for feeds. */
const feedConnections = 4;

export async function openServer(databaseUrl: string, poolSize: number, log: Log): Promise<Storage> {
  const open = (max: number, bounds?: Bounds): Db => {
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      max,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: bounds?.answerTimeoutMs,
      keepAlive: true,
      application_name: 'gapless',
      types: { getTypeParser },
      Client: ServerClient,
      onConnect: (client) => (client as ServerClient).prepare(),
    });
    // Without a listener, a backend that is terminated while idle would end this process.
    pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
    return openKysely(new ServerDialect(pool, bounds));
  };
  const bounds = { lockTimeoutMs, statementTimeoutMs, answerTimeoutMs };
  await using opened = new AsyncDisposableStack();
  const use = (db: Db) => opened.adopt(db, () => db.destroy());
  const db = use(open(poolSize, bounds));
  const feedDb = use(open(feedConnections, bounds));
  try {
    // Unbounded, because while one node migrates, the others wait for it.
    await using migrating = open(1);
    await migrate(migrating);
    // A transaction as all later ones: settings that the database refuses are found at the start.
    await db.transaction().execute(async () => {});
  } catch (error) {
    throw error instanceof DatabaseFailure ? refused(databaseUrl, error) : error;
  }
  const toClose = opened.move();
  return { db, rows: new Rows(db), feedDb, feedRows: new Rows(feedDb), [Symbol.asyncDispose]: () => toClose.disposeAsync() };
}

/** The sentence for a database that cannot be used. It never contains the password. */
const refused = (databaseUrl: string, { message }: DatabaseFailure) =>
  new ConfigError(`DATABASE_URL: the database at ${new URL(databaseUrl).host} cannot be used: ${message}.`);

// Numbers for int8, as PGlite returns them. No value of ours exceeds 2^53.
const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format);
