// PGlite in its thread, through Kysely. There is one connection: Kysely gives it to one user at a time, and so transactions
// are exclusive.

import { type CompiledQuery, type DatabaseConnection, type Driver, PGliteDialect, type QueryResult } from 'kysely';
import type { EmbeddedThread } from './embedded-thread.ts';

export class EmbeddedDialect extends PGliteDialect {
  readonly #current: () => EmbeddedThread;

  /** `current` returns the thread for what begins now. */
  constructor(current: () => EmbeddedThread) {
    // Kysely's own driver is not used: it waits forever if a transaction cannot begin.
    super({
      pglite: () => {
        throw new Error('PGlite runs in its own thread');
      },
    });
    this.#current = current;
  }

  override createDriver(): Driver {
    return new EmbeddedDriver(this.#current);
  }
}

/** Bound to one thread: after that one has died, the rest of a transaction fails and does not run in the next thread. */
class EmbeddedConnection implements DatabaseConnection {
  readonly thread: EmbeddedThread;
  /** Whether a statement failed, and so the transaction will be rolled back. */
  failed = false;

  constructor(thread: EmbeddedThread) {
    this.thread = thread;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      const { rows, affectedRows } = await this.thread.query(sql, parameters);
      return { rows: rows as Row[], ...(affectedRows === undefined ? {} : { numAffectedRows: BigInt(affectedRows) }) };
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }

  streamQuery(): never {
    throw new Error('Queries are not streamed.');
  }
}

class EmbeddedDriver implements Driver {
  readonly #current: () => EmbeddedThread;

  constructor(current: () => EmbeddedThread) {
    this.#current = current;
  }

  async init(): Promise<void> {}

  /** Never throws: after an exception, Kysely would never release the connection. A thread that has died fails its queries. */
  async acquireConnection(): Promise<DatabaseConnection> {
    return new EmbeddedConnection(this.#current());
  }

  async beginTransaction(connection: EmbeddedConnection): Promise<void> {
    connection.failed = false;
    await connection.thread.query('begin');
  }

  async commitTransaction(connection: EmbeddedConnection): Promise<void> {
    // PostgreSQL answers `commit` with a rollback then, and PGlite does not say so.
    if (connection.failed) throw new Error('the transaction cannot be committed: one of its statements failed');
    await connection.thread.query('commit');
  }

  async rollbackTransaction(connection: EmbeddedConnection): Promise<void> {
    try {
      await connection.thread.query('rollback');
    } catch (error) {
      // The next user must not find the transaction open.
      connection.thread.terminate();
      throw error;
    }
  }

  async releaseConnection(): Promise<void> {}

  /** Does not close the thread. Its owner does. */
  async destroy(): Promise<void> {}
}
