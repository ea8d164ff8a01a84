// PostgreSQL: a pool of connections to the primary for requests, one for feeds, and a connection for probes. It may be
// behind a pooler in transaction mode, so that no session setting and no startup parameter is used.

import { sql } from 'kysely';
import pg from 'pg';
import { type DatabaseAddress, parseDatabaseUrl } from '../config/database-url.ts';
import { ConfigError, type ServerConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { refusalOf } from './connection-failure.ts';
import type { Storage } from './database.ts';
import { beginEpochText } from './epochs.ts';
import { DatabaseFailure } from './failure.ts';
import { defaultSchema, openKysely } from './kysely.ts';
import { migrate } from './migrate.ts';
import { requireTableRights } from './migration-rights.ts';
import { openReads } from './reads.ts';
import { Rows } from './rows.ts';
import { readOnlyError } from './server-client.ts';
import { ServerDialect, transactionBounds } from './server-dialect.ts';
import { ServerPool } from './server-pool.ts';
import { ServerState } from './server-state.ts';
import type { Db } from './tables.ts';
import { chooseTls, offersTls } from './tls.ts';

const defaultConnectTimeoutMs = 3000;

interface PoolOptions {
  readonly max: number;
  readonly connectTimeoutMs?: number;
  /** How long the client waits for the answer to a statement. Undefined: without end, and transactions are not bounded. */
  readonly answerTimeoutMs?: number;
}

export async function openServer(config: ServerConfig, log: Log): Promise<Storage> {
  const { databaseUrl, poolSize, schema = defaultSchema } = config;
  const address = parseDatabaseUrl(databaseUrl);
  if (address.foreignSchema !== undefined && address.foreignSchema !== schema) {
    log.warn(`DATABASE_URL names the schema ${address.foreignSchema}, which has no effect: set DATABASE_SCHEMA to use it`);
  }
  const connection = await connectionOf(address);
  const state = new ServerState(log, config.preparesStatements);
  const open = ({ max, connectTimeoutMs = defaultConnectTimeoutMs, answerTimeoutMs }: PoolOptions): Db => {
    const pool = new ServerPool({
      ...connection,
      max,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
      keepAlive: true,
      types: { getTypeParser },
      state,
    });
    // Without a listener, a backend that is terminated while idle would end this process.
    pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
    return openKysely(new ServerDialect(pool, answerTimeoutMs === undefined ? undefined : transactionBounds), schema);
  };
  await using opened = new AsyncDisposableStack();
  const use = (db: Db) => opened.adopt(db, () => db.destroy());
  const db = use(open({ max: poolSize, answerTimeoutMs: 4500 }));
  const feedDb = use(open({ max: 4, answerTimeoutMs: 4500 }));
  const probeDb = use(open({ max: 1, connectTimeoutMs: 1000, answerTimeoutMs: 1000 }));
  try {
    await migrateOn(open({ max: 1 }), config.schema, log);
    state.beginEpoch = (isPooled) => beginEpochText(schema, isPooled);
    // Runs one transaction on each pool, with the usual settings, so that a connection limit or a refused setting fails the start.
    await Promise.all([db, feedDb, probeDb].map((each) => each.transaction().execute(async () => {})));
    await requireUtf8(db);
    await requireTableRights(db, schema);
  } catch (error) {
    throw error instanceof DatabaseFailure ? refusalOf(address, error) : error;
  }
  state.start();
  const toClose = opened.move();
  return {
    db,
    rows: new Rows(db),
    reads: openReads(db),
    feedDb,
    feedRows: new Rows(feedDb),
    probe: () => requireWritable(probeDb),
    connections: state,
    [Symbol.asyncDispose]: () => toClose.disposeAsync(),
  };
}

/** What pg needs to connect. Undefined where the defaults of libpq apply, such as PGUSER. */
async function connectionOf(address: DatabaseAddress): Promise<pg.ClientConfig> {
  const { host, port, user, password, database, options, applicationName = 'gapless' } = address;
  const config = {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(options === undefined ? {} : { options }),
    application_name: applicationName,
  };
  const tls = await chooseTls(address, (ssl) => offersTls({ ...config, ssl, connectionTimeoutMillis: defaultConnectTimeoutMs }));
  return tls === undefined ? config : { ...config, ssl: tls };
}

/** Another encoding cannot store every message: a send with an emoji would fail for ever. */
async function requireUtf8(db: Db): Promise<void> {
  const { rows } = await sql<{ encoding: string }>`select current_setting('server_encoding') as encoding`.execute(db);
  const encoding = rows[0]?.encoding;
  if (encoding !== 'UTF8')
    throw new ConfigError(`DATABASE_URL: the encoding of the database is ${encoding}: use a database with encoding UTF8.`);
}

/** Throws if the database does not answer, or has become read-only by a default that reaches open sessions. */
async function requireWritable(db: Db): Promise<void> {
  const { rows } = await sql<{ locked: boolean }>`select current_setting('transaction_read_only') = 'on' as locked`.execute(db);
  if (rows[0]?.locked) throw new DatabaseFailure(readOnlyError());
}

/** Migrates without bounds in time, because while one node migrates, the others wait for it. */
async function migrateOn(db: Db, schema: string | undefined, log: Log): Promise<void> {
  try {
    const newer = await migrate(db, schema);
    if (newer.length > 0) {
      log.warn(
        { migrations: newer },
        'a newer version has migrated the database: this version works with it, but does not use what is new',
      );
    }
  } finally {
    await db.destroy();
  }
}

// Numbers for int8, as PGlite returns them. No value that the server stores exceeds 2^53.
const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format);
