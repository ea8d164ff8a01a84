// The one way in which storage fails. Whatever the driver of the database throws leaves as a DatabaseFailure: nobody can list
// what goes wrong with a database, so nobody has to recognise it.

import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult, TransactionSettings } from 'kysely';

/** The database did not do what it was asked. Passing, unless the caller knows the constraint that it violated. */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure';
  /** SQLSTATE, or the code of a system error, if there is one. */
  readonly code: string | undefined;
  /** The constraint that a statement violated. */
  readonly constraint: string | undefined;

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    const { code, constraint } = (cause ?? {}) as { code?: unknown; constraint?: unknown };
    this.code = typeof code === 'string' ? code : undefined;
    this.constraint = typeof constraint === 'string' ? constraint : undefined;
  }
}

/** SQLSTATE classes in which the database judges the data of a statement: data exception, integrity constraint violation. */
const ofData = /^2[23]...$/;

/** Whether the statement failed for what it was to write, and not for the state of the database. */
export const isOfData = (error: unknown) => error instanceof DatabaseFailure && ofData.test(error.code ?? '');

/** The dialect, with everything that its driver throws as a DatabaseFailure. */
export const failingAsOne = (dialect: Dialect): Dialect => ({
  createDriver: () => new FailingDriver(dialect.createDriver()),
  createQueryCompiler: () => dialect.createQueryCompiler(),
  createAdapter: () => dialect.createAdapter(),
  createIntrospector: (db) => dialect.createIntrospector(db),
});

class FailingDriver implements Driver {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  init(): Promise<void> {
    return attempt(() => this.#driver.init());
  }

  async acquireConnection(): Promise<FailingConnection> {
    return new FailingConnection(await attempt(() => this.#driver.acquireConnection()));
  }

  beginTransaction({ inner }: FailingConnection, settings: TransactionSettings): Promise<void> {
    return attempt(() => this.#driver.beginTransaction(inner, settings));
  }

  commitTransaction({ inner }: FailingConnection): Promise<void> {
    return attempt(() => this.#driver.commitTransaction(inner));
  }

  rollbackTransaction({ inner }: FailingConnection): Promise<void> {
    return attempt(() => this.#driver.rollbackTransaction(inner));
  }

  releaseConnection({ inner }: FailingConnection): Promise<void> {
    return attempt(() => this.#driver.releaseConnection(inner));
  }

  destroy(): Promise<void> {
    return this.#driver.destroy();
  }
}

class FailingConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;

  constructor(inner: DatabaseConnection) {
    this.inner = inner;
  }

  executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    return attempt(() => this.inner.executeQuery<Row>(query));
  }

  async *streamQuery<Row>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<Row>> {
    try {
      yield* this.inner.streamQuery<Row>(query, chunkSize);
    } catch (error) {
      throw new DatabaseFailure(error);
    }
  }
}

async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new DatabaseFailure(error);
  }
}
