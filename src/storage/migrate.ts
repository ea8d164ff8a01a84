// Migrates the tables to this version. If several nodes start at the same time, one of them migrates and the others wait.
// A migration only adds, because nodes of the previous version still run on the same database: see docs/operations.md.

import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import * as roomLog from './migrations/0001-room-log.ts';
import * as erasedUsers from './migrations/0002-erased-users.ts';
import type { Db, Trx } from './tables.ts';

/** Key of the advisory lock of the node that migrates. Arbitrary. */
const advisoryLock = 4_736_170_118;

/** Where executed migrations are recorded. Version 0.1 starts only on a database whose first table holds its own migration and no other. */
const ledgers = [
  { migrationTableName: 'kysely_migration', migrationLockTableName: 'kysely_migration_lock', migrations: { '0001-room-log': roomLog } },
  {
    migrationTableName: 'gapless_migration',
    migrationLockTableName: 'gapless_migration_lock',
    migrations: { '0002-erased-users': erasedUsers },
  },
];

export async function migrate(db: Db): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${advisoryLock})`.execute(trx);
    for (const { migrations, ...tables } of ledgers) {
      const provider = { getMigrations: async () => ({ ...(await findExecuted(trx, tables.migrationTableName)), ...migrations }) };
      const { error } = await new Migrator({ db: trx, provider, ...tables }).migrateToLatest();
      if (error) throw error;
    }
  });
}

/** The migrations that a newer version has executed, as empty ones. Without them the migrator would refuse to start, and a node could not go back to this version. */
async function findExecuted(trx: Trx, table: string): Promise<Record<string, Migration>> {
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(table)}`.execute(trx);
  return Object.fromEntries(rows.map(({ name }) => [name, { up: async () => {} }]));
}
