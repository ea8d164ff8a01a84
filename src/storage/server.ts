// PostgreSQL: a pool of connections to the primary for requests, one for feeds, and a connection for probes. It may be
// behind a pooler in transaction mode, so that no session setting and no startup parameter is used.

import { sql } from 'kysely';
import pg from 'pg';
import { ConfigError } from '../config.ts';
import type { Log } from '../log.ts';
import type { Storage } from './database.ts';
import { DatabaseFailure } from './failure.ts';
import { openKysely, ping } from './kysely.ts';
import { migrate } from './migrate.ts';
import { openReads } from './reads.ts';
import { Rows } from './rows.ts';
import { ServerClient } from './server-client.ts';
import { ServerDialect, type TransactionBounds } from './server-dialect.ts';
import type { Db } from './tables.ts';

const transactionBounds: TransactionBounds = { lockTimeoutMs: 3000, statementTimeoutMs: 4000, idleTimeoutMs: 4500 };

interface PoolOptions {
  readonly max: number;
  readonly connectTimeoutMs?: number;
  /** How long the client waits for the answer to a statement. Undefined: without end, and transactions are not bounded. */
  readonly answerTimeoutMs?: number;
}

export async function openServer(databaseUrl: string, poolSize: number, log: Log): Promise<Storage> {
  const open = ({ max, connectTimeoutMs = 3000, answerTimeoutMs }: PoolOptions): Db => {
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      max,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
      keepAlive: true,
      application_name: 'gapless',
      types: { getTypeParser },
      Client: ServerClient,
      onConnect: (client) => (client as ServerClient).prepare(),
    });
    // Without a listener, a backend that is terminated while idle would end this process.
    pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
    return openKysely(new ServerDialect(pool, answerTimeoutMs === undefined ? undefined : transactionBounds));
  };
  await using opened = new AsyncDisposableStack();
  const use = (db: Db) => opened.adopt(db, () => db.destroy());
  const db = use(open({ max: poolSize, answerTimeoutMs: 4500 }));
  const feedDb = use(open({ max: 4, answerTimeoutMs: 4500 }));
  const probeDb = use(open({ max: 1, connectTimeoutMs: 1000, answerTimeoutMs: 1000 }));
  try {
    await migrateOn(open({ max: 1 }));
    // Runs one transaction on each pool, with the usual settings, so that a connection limit or a refused setting fails the start.
    await Promise.all([db, feedDb, probeDb].map((each) => each.transaction().execute(async () => {})));
    await requireUtf8(db);
  } catch (error) {
    throw error instanceof DatabaseFailure ? refused(databaseUrl, error) : error;
  }
  const toClose = opened.move();
  return {
    db,
    rows: new Rows(db),
    reads: openReads(db),
    feedDb,
    feedRows: new Rows(feedDb),
    probe: () => ping(probeDb),
    [Symbol.asyncDispose]: () => toClose.disposeAsync(),
  };
}

/** Another encoding cannot store every message: a send with an emoji would fail for ever. */
async function requireUtf8(db: Db): Promise<void> {
  const { rows } = await sql<{ encoding: string }>`select current_setting('server_encoding') as encoding`.execute(db);
  const encoding = rows[0]?.encoding;
  if (encoding !== 'UTF8')
    throw new ConfigError(`DATABASE_URL: the encoding of the database is ${encoding}: use a database with encoding UTF8.`);
}

/** Migrates without bounds in time, because while one node migrates, the others wait for it. */
async function migrateOn(db: Db): Promise<void> {
  try {
    await migrate(db);
  } finally {
    await db.destroy();
  }
}

/** The sentence for a database that cannot be used. It never contains the password. */
const refused = (databaseUrl: string, { message }: DatabaseFailure) =>
  new ConfigError(`DATABASE_URL: the database at ${addressOf(databaseUrl)} cannot be used: ${message}.`);

/** The host is a parameter if the address is a Unix socket. */
const addressOf = (databaseUrl: string) => {
  const { host, searchParams } = new URL(databaseUrl);
  return host || (searchParams.get('host') ?? 'its default address');
};

// Numbers for int8, as PGlite returns them. No value that the server stores exceeds 2^53.
const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format);
