// The embedded database: PGlite in a folder. One process at a time opens the folder.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PGlite } from '@electric-sql/pglite';
import { PGliteDialect } from 'kysely';
import { ConfigError } from '../config.ts';
import type { Storage } from './database.ts';
import { openKysely, ping } from './kysely.ts';
import { migrate } from './migrate.ts';
import { Rows } from './rows.ts';

export async function openEmbedded(dataDir: string): Promise<Storage> {
  const lock = lockFolder(dataDir);
  const db = openKysely(new PGliteDialect({ pglite: () => new PGlite(join(dataDir, 'pglite')) }));
  const close = async () => {
    await db.destroy();
    lock.close();
  };
  try {
    await migrate(db);
  } catch (error) {
    await close();
    throw error;
  }
  const rows = new Rows(db);
  return { db, rows, feedDb: db, feedRows: rows, probe: () => ping(db), [Symbol.asyncDispose]: close };
}

// PGlite opens a folder that another process has open without an error, and then one of them loses its rows. SQLite, which
// comes with Node, holds a lock of the operating system on a file for us. The lock ends with the process, however that ends.
function lockFolder(dataDir: string): DatabaseSync {
  try {
    mkdirSync(dataDir, { recursive: true });
    const lock = new DatabaseSync(join(dataDir, 'lock'), { timeout: 0 });
    lock.exec('pragma journal_mode = memory; begin exclusive');
    return lock;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.includes('locked')) {
      throw new ConfigError(`DATA_DIR ${dataDir} is in use by another Gapless: stop that one, or give this one a folder of its own.`);
    }
    throw new ConfigError(`DATA_DIR ${dataDir} cannot be used: ${reason}.`);
  }
}
