// Opens the database: PGlite in a folder, or PostgreSQL. The rest of the server does not know which of the two it is.

import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { openEmbedded } from './embedded.ts';
import type { Rows } from './rows.ts';
import { openServer } from './server.ts';
import type { Db } from './tables.ts';

export interface Storage extends AsyncDisposable {
  readonly db: Db;
  readonly rows: Rows;
  /** The same database for feeds and what their events show, with connections of its own: a crowd that resumes does not delay sends. */
  readonly feedDb: Db;
  readonly feedRows: Rows;
  /** Throws if the database does not answer soon. Does not wait for the connections of requests and feeds. */
  probe(): Promise<void>;
}

/** Opens it and migrates its tables. Throws ConfigError if it cannot be used with these settings. */
export async function openStorage(config: Config['storage'], log: Log): Promise<Storage> {
  return 'dataDir' in config ? openEmbedded(config.dataDir, log) : openServer(config.databaseUrl, config.poolSize, log);
}
