// Brings the tables to the shape that this version expects. Nodes may start at the same time: one migrates, the others wait.
// A migration only adds, because the previous version works on the same database meanwhile: see docs/operations.md.

import fs from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { FileMigrationProvider, type Migration, Migrator } from 'kysely/migration';
import type { Db, Trx } from './tables.ts';

const migrationFolder = path.join(import.meta.dirname, 'migrations');
/** Key of the advisory lock of the node that migrates. Arbitrary. */
const advisoryLock = 4_736_170_118;
/**
 * Version 0.1 starts only on a database whose table `kysely_migration` holds this migration and no other. The others are
 * recorded in a table of their own, so that a node can go back to that version.
 */
const first = '0001-room-log';

/** Applies every file of the folder `migrations` that has not been applied, in the order of their names. */
export async function migrate(db: Db): Promise<void> {
  const all = await new FileMigrationProvider({ fs, path, migrationFolder }).getMigrations();
  const { [first]: roomLog, ...rest } = all as Record<string, Migration> & { [first]: Migration };
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${advisoryLock})`.execute(trx);
    await apply(trx, 'kysely_migration', { [first]: roomLog });
    await apply(trx, 'gapless_migration', rest);
  });
}

async function apply(trx: Trx, migrationTableName: string, migrations: Record<string, Migration>): Promise<void> {
  const provider = { getMigrations: async () => ({ ...(await findApplied(trx, migrationTableName)), ...migrations }) };
  const tables = { migrationTableName, migrationLockTableName: `${migrationTableName}_lock` };
  const { error } = await new Migrator({ db: trx, provider, ...tables }).migrateToLatest();
  if (error) throw error;
}

/**
 * The migrations that were applied, as empty ones. Without those of a newer version, the migrator would refuse to start, and
 * a node could not go back to this version.
 */
async function findApplied(trx: Trx, table: string): Promise<Record<string, Migration>> {
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(table)}`.execute(trx);
  return Object.fromEntries(rows.map(({ name }) => [name, { up: async () => {} }]));
}
