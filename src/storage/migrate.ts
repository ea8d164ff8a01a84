// Brings the tables to the shape that this version expects. Ten nodes may start at once: one migrates, nine wait.

import { type Migration, Migrator } from 'kysely/migration';
import * as roomLog from './migrations/0001-room-log.ts';
import type { Db } from './tables.ts';

const migrations: Record<string, Migration> = {
  '0001-room-log': roomLog,
};

export async function migrate(db: Db): Promise<void> {
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
  if (error) throw error;
}
