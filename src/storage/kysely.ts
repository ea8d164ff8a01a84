// The Kysely settings of both databases: the naming of columns, and failures as DatabaseFailure.

import {
  CamelCasePlugin,
  type ConnectionProvider,
  type Dialect,
  DummyDriver,
  HandleEmptyInListsPlugin,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  replaceWithNoncontingentExpression,
  sql,
} from 'kysely';
import { reportFailures } from './failure.ts';
import type { Database, Db } from './tables.ts';

// `in ()` is not valid SQL. With this plugin it is false.
const plugins = [new CamelCasePlugin(), new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })];

export const openKysely = (dialect: Dialect): Db => new Kysely<Database>({ dialect: reportFailures(dialect), plugins });

/** The same database for single statements, which get their connections from `provider`. */
export const readOnlyOn = (db: Db, provider: ConnectionProvider): Db =>
  new Kysely<Database>({
    executor: db.getExecutor().withConnectionProvider(provider),
    ...{ driver: noTransactions, dialect: noDialect, config: { dialect: noDialect } },
  });

class NoTransactions extends DummyDriver {
  override async beginTransaction(): Promise<void> {
    throw new Error('A read is a single statement.');
  }
}

const noTransactions = new NoTransactions();
const noDialect: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => noTransactions,
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
};

/** Throws if the database does not answer. */
export async function ping(db: Db): Promise<void> {
  await sql`select 1`.execute(db);
}
