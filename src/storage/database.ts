// Opens the database: PGlite in a folder, or PostgreSQL. The rest of the server does not depend on which of the two it is.

import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { openEmbedded } from './embedded.ts';
import type { DatabaseFailure } from './failure.ts';
import type { OpenReads } from './reads.ts';
import type { Rows } from './rows.ts';
import { openServer } from './server.ts';
import type { Db } from './tables.ts';

export interface Storage extends AsyncDisposable {
  readonly db: Db;
  readonly rows: Rows;
  /** The same database, for the reads of one request: fair to other viewers, and cancelled with the request. */
  readonly reads: OpenReads;
  /** The same database, with separate connections for the reads of feeds and their events, so that these do not delay sends. */
  readonly feedDb: Db;
  readonly feedRows: Rows;
  /** Throws if the database does not answer within a few seconds. Does not wait for the connections of requests and feeds. */
  probe(): Promise<void>;
  readonly connections: Connections;
}

/** The connections to the database. */
export interface Connections {
  /** Why the newest attempt to open one failed. Undefined if it succeeded. */
  readonly refusal: DatabaseFailure | undefined;
  /** Counters for operators. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Opens the database and migrates its tables. Throws ConfigError if the settings do not work with this database. */
export async function openStorage(config: Config['storage'], log: Log): Promise<Storage> {
  return 'dataDir' in config ? openEmbedded(config.dataDir, log) : openServer(config, log);
}
