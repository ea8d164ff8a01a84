// Wraps every error of the database driver, including unforeseen ones, in a DatabaseFailure. Errors that our own code throws
// inside a transaction pass unchanged.

import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult, TransactionSettings } from 'kysely';

export class DatabaseFailure extends Error {
  /** SQLSTATE, or the code of a system error such as ECONNREFUSED. Undefined if there is none. */
  readonly code: string | undefined;
  /** Name of the constraint that the statement violated. */
  readonly constraint: string | undefined;

  constructor(cause: unknown) {
    // Node reports a host with several addresses as an AggregateError that has no message of its own.
    const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
    super(error instanceof Error ? error.message : String(error), { cause });
    this.name = 'DatabaseFailure';
    this.code = textOf(error, 'code');
    this.constraint = textOf(error, 'constraint');
  }

  /** Whether the database rejected the data of the statement: SQLSTATE class 22 (data) or 23 (constraints). */
  get isOfData(): boolean {
    return this.code !== undefined && /^2[23]...$/.test(this.code);
  }

  /** Whether the statement collided with another transaction: a serialization failure or a deadlock. Nothing was written. */
  get isOfConcurrency(): boolean {
    return this.code === '40001' || this.code === '40P01';
  }
}

function textOf(error: unknown, name: string): string | undefined {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The dialect with a driver that throws only DatabaseFailure. */
export const reportFailures = (dialect: Dialect): Dialect => ({
  createAdapter: () => dialect.createAdapter(),
  createDriver: () => new ReportingDriver(dialect.createDriver()),
  createIntrospector: (db) => dialect.createIntrospector(db),
  createQueryCompiler: () => dialect.createQueryCompiler(),
});

async function report<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof DatabaseFailure ? error : new DatabaseFailure(error);
  }
}

/** A connection of either database. */
type InnerConnection = DatabaseConnection & { readonly cancel?: () => Promise<void> };

export class ReportingConnection implements DatabaseConnection {
  readonly inner: InnerConnection;

  constructor(inner: InnerConnection) {
    this.inner = inner;
  }

  /** Cancels the statement that runs, if the database can do that. Never rejects. */
  async cancel(): Promise<void> {
    await this.inner.cancel?.();
  }

  executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    return report(() => this.inner.executeQuery<Row>(query));
  }

  streamQuery(): never {
    throw new Error('Queries are not streamed.');
  }
}

class ReportingDriver implements Driver {
  readonly #inner: Driver;

  constructor(inner: Driver) {
    this.#inner = inner;
  }

  init(): Promise<void> {
    return report(() => this.#inner.init());
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new ReportingConnection(await report(() => this.#inner.acquireConnection()));
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return report(() => this.#inner.beginTransaction(innerOf(connection), settings));
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return report(() => this.#inner.commitTransaction(innerOf(connection)));
  }

  /**
   * Never fails, because Kysely would throw this failure instead of the error that caused the rollback. If the rollback
   * fails, the driver drops the connection, and the database rolls back.
   */
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#inner.rollbackTransaction(innerOf(connection)).catch(() => {});
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return report(() => this.#inner.releaseConnection(innerOf(connection)));
  }

  destroy(): Promise<void> {
    return report(() => this.#inner.destroy());
  }
}

const innerOf = (connection: DatabaseConnection) => (connection as ReportingConnection).inner;
