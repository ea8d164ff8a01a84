// The embedded database: PGlite in a folder, in a thread of its own. One process at a time opens the folder.

import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CompiledQuery } from 'kysely';
import { ConfigError } from '../config.ts';
import type { Log } from '../log.ts';
import { beginCreation, databaseIn, endCreation, explainDamage, lockIn, requireDataFolder, unusable } from './data-folder.ts';
import type { Storage } from './database.ts';
import { EmbeddedDialect } from './embedded-dialect.ts';
import { EmbeddedThreads } from './embedded-threads.ts';
import { beginEpochText } from './epochs.ts';
import { DatabaseFailure } from './failure.ts';
import { defaultSchema, openKysely } from './kysely.ts';
import { migrate } from './migrate.ts';
import { openReads } from './reads.ts';
import { Rows } from './rows.ts';

export async function openEmbedded(dataDir: string, log: Log): Promise<Storage> {
  requireDataFolder(dataDir);
  const lock = lockFolder(dataDir);
  beginCreation(dataDir);
  const threads = new EmbeddedThreads(databaseIn(dataDir), log);
  const db = openKysely(new EmbeddedDialect(() => threads.current()));
  const close = async () => {
    await db.destroy();
    await threads.close();
    lock.close();
  };
  try {
    await migrate(db);
    await db.executeQuery(CompiledQuery.raw(beginEpochText(defaultSchema, false)));
    endCreation(dataDir);
  } catch (error) {
    await close();
    throw error instanceof DatabaseFailure ? explainDamage(dataDir, error.message) : error;
  }
  const rows = new Rows(db);
  return {
    db,
    rows,
    reads: openReads(db),
    feedDb: db,
    feedRows: rows,
    probe: () => threads.current().ping(),
    connections: { refusal: undefined, counts: {} },
    [Symbol.asyncDispose]: close,
  };
}

// PGlite opens a folder that another process has open without an error, and then one of them loses its rows. SQLite, which
// comes with Node, holds a lock of the operating system on a file for us. The lock ends with the process, however that ends.
function lockFolder(dataDir: string): DatabaseSync {
  try {
    const lock = new DatabaseSync(lockIn(dataDir), { timeout: 0 });
    lock.exec('pragma journal_mode = memory; begin exclusive');
    return lock;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.includes('locked')) {
      throw new ConfigError(
        `DATA_DIR ${resolve(dataDir)} is in use by another Gapless: stop that one, or give this one a folder of its own.`,
      );
    }
    throw unusable(dataDir, `its file lock is not one of Gapless (${reason}): name another folder`);
  }
}
