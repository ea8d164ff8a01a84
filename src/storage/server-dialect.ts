// PostgreSQL through Kysely, with transactions that are durable and bounded in time. Each transaction sets this for itself,
// in the round trip that begins it.

import { CompiledQuery, PostgresDialect, PostgresDriver, type PostgresPool } from 'kysely';
import { durableCommit } from './durability.ts';

export interface TransactionBounds {
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** How long the server waits for the next statement of a transaction. */
  readonly idleTimeoutMs: number;
}

export class ServerDialect extends PostgresDialect {
  readonly #pool: PostgresPool;
  readonly #bounds: TransactionBounds | undefined;

  /** Without `bounds`, transactions may take as long as they need. */
  constructor(pool: PostgresPool, bounds?: TransactionBounds) {
    super({ pool });
    this.#pool = pool;
    this.#bounds = bounds;
  }

  override createDriver() {
    return new ServerDriver(this.#pool, this.#bounds);
  }
}

type Connection = Parameters<PostgresDriver['rollbackTransaction']>[0];

class ServerDriver extends PostgresDriver {
  readonly #begin: CompiledQuery;

  constructor(pool: PostgresPool, bounds: TransactionBounds | undefined) {
    super({ pool });
    this.#begin = CompiledQuery.raw(['begin', ...(bounds ? limits(bounds) : []), `select ${durableCommit}`].join('; '));
  }

  override async beginTransaction(connection: Connection): Promise<void> {
    try {
      await connection.executeQuery(this.#begin);
    } catch (error) {
      // The transaction may be open: only a later part of the query has failed. Kysely does not roll back what did not begin.
      await this.rollbackTransaction(connection).catch(() => {});
      throw error;
    }
  }
}

const limits = ({ lockTimeoutMs, statementTimeoutMs, idleTimeoutMs }: TransactionBounds) => [
  `set local lock_timeout = ${lockTimeoutMs}`,
  `set local statement_timeout = ${statementTimeoutMs}`,
  `set local idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
];
