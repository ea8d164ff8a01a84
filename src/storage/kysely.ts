// The Kysely settings of both databases: the naming of columns, the schema of the tables, and failures as DatabaseFailure.

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
import { SchemaPlugin } from './schema-plugin.ts';
import type { Database, Db } from './tables.ts';

/** The schema of the tables unless DATABASE_SCHEMA names another. */
export const defaultSchema = 'public';

/** `schema` holds all tables. */
export const openKysely = (dialect: Dialect, schema = defaultSchema): Db =>
  new Kysely<Database>({
    dialect: reportFailures(dialect),
    plugins: [
      new CamelCasePlugin(),
      // `in ()` is not valid SQL. With this plugin it is false.
      new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression }),
      // The last one: the name of the schema is not converted.
      new SchemaPlugin(schema),
    ],
  });

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
