// PostgreSQL through Kysely, with transactions that are durable and bounded in time. Each transaction sets this for itself,
// in the round trip that begins it.

import {
  CompiledQuery,
  type DatabaseConnection,
  type Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  sql,
  type TransactionSettings,
} from 'kysely';
import { durableCommit } from './durability.ts';
import { type PooledClient, ServerConnection } from './server-connection.ts';

export interface TransactionBounds {
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** How long the server waits for the next statement of a transaction. */
  readonly idleTimeoutMs: number;
}

export const transactionBounds: TransactionBounds = { lockTimeoutMs: 3000, statementTimeoutMs: 4000, idleTimeoutMs: 4500 };
/** Set as well, because a role or database may have timeouts of its own. */
const unbounded: TransactionBounds = { lockTimeoutMs: 0, statementTimeoutMs: 0, idleTimeoutMs: 0 };

/** `read committed` whatever the default of the database: a change reads the newest state of a room after it waited for the lock. */
const begin = ({ lockTimeoutMs, statementTimeoutMs, idleTimeoutMs }: TransactionBounds) =>
  [
    'begin isolation level read committed',
    `set local lock_timeout = ${lockTimeoutMs}`,
    `set local statement_timeout = ${statementTimeoutMs}`,
    `set local idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
  ].join('; ');

/** Begins the transaction of a single statement. */
export const beginBounded = begin(transactionBounds);

export class ServerDialect extends PostgresDialect {
  readonly #pool: PostgresPool;
  readonly #bounds: TransactionBounds;

  /** Without `bounds`, transactions may take as long as they need. */
  constructor(pool: PostgresPool, bounds: TransactionBounds = unbounded) {
    super({ pool });
    this.#pool = pool;
    this.#bounds = bounds;
  }

  override createDriver() {
    return new ServerDriver(this.#pool, this.#bounds);
  }

  override createAdapter() {
    return new ServerAdapter();
  }
}

/** The key of the lock that Kysely takes for migrations, so that nodes of version 0.1 are excluded as well. */
const migrationLock = sql.lit('3853314791062309107');

/**
 * Takes the lock of a migration for its transaction. Kysely takes it for the session: after a migration that failed, it
 * would stay with a backend of the pooler, and keep every node from starting.
 */
class ServerAdapter extends PostgresAdapter {
  // biome-ignore lint/suspicious/noExplicitAny: Kysely's signature
  override async acquireMigrationLock(trx: Kysely<any>): Promise<void> {
    await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(trx);
  }

  override async releaseMigrationLock(): Promise<void> {}
}

class ServerDriver extends PostgresDriver {
  readonly #pool: PostgresPool;
  readonly #begin: CompiledQuery;

  constructor(pool: PostgresPool, bounds: TransactionBounds) {
    super({ pool });
    this.#pool = pool;
    this.#begin = CompiledQuery.raw(`${begin(bounds)}; select ${durableCommit}`);
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new ServerConnection((await this.#pool.connect()) as unknown as PooledClient);
  }

  override async releaseConnection(connection: DatabaseConnection): Promise<void> {
    (connection as ServerConnection).release();
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await connection.executeQuery(CompiledQuery.raw('rollback'));
    } catch (error) {
      (connection as ServerConnection).discard();
      throw error;
    }
  }

  /** `read committed` whatever the default of the database: a change reads the newest state of a room after it waited for the lock. */
  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    if (settings.isolationLevel || settings.accessMode) throw new Error('a transaction has no settings of its own');
    try {
      await connection.executeQuery(this.#begin);
    } catch (error) {
      // The transaction may be open: only a later part of the query has failed. Kysely does not roll back what did not begin.
      await this.rollbackTransaction(connection).catch(() => {});
      throw error;
    }
  }
}
