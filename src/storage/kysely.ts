// The Kysely settings of both databases: the naming of columns, and failures as DatabaseFailure.

import { CamelCasePlugin, type Dialect, HandleEmptyInListsPlugin, Kysely, replaceWithNoncontingentExpression, sql } from 'kysely';
import { reportFailures } from './failure.ts';
import type { Database, Db } from './tables.ts';

// `in ()` is not valid SQL. With this plugin it is false.
const plugins = [new CamelCasePlugin(), new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })];

export const openKysely = (dialect: Dialect): Db => new Kysely<Database>({ dialect: reportFailures(dialect), plugins });

/** Throws if the database does not answer. */
export async function ping(db: Db): Promise<void> {
  await sql`select 1`.execute(db);
}
