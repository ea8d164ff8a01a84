// Checks the data folder before the embedded database opens it: PGlite reports a folder that it cannot use late, without a
// reason, or by writing into it.

import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '../config.ts';

/** The major version of PostgreSQL that PGlite is. */
export const pgliteVersion = '18';
/** An empty database takes about 45 MB, and a segment of the write-ahead log 16 MB. */
const neededWhenNewMiB = 64;
const neededMiB = 16;

export const databaseIn = (dataDir: string) => join(dataDir, 'pglite');

/** There while a database is being created in the folder. Nobody has been served from it yet. */
const creationIn = (dataDir: string) => `${databaseIn(dataDir)}.creating`;

export const lockIn = (dataDir: string) => join(dataDir, 'lock');

/** The sentence for a data folder that cannot be used. A relative path is shown in full, because it depends on where the server was started. */
export const unusable = (dataDir: string, reason: string) => new ConfigError(`DATA_DIR ${resolve(dataDir)} cannot be used: ${reason}.`);

/** Creates the folder if there is none. Throws ConfigError if it cannot be used. */
export function requireDataFolder(dataDir: string): void {
  attempt(dataDir, () => createFolder(resolve(dataDir)));
  if (existsSync(join(dataDir, 'PG_VERSION'))) throw unusable(dataDir, 'it belongs to a PostgreSQL server: name another folder');
  const database = databaseIn(dataDir);
  const isNew = existsSync(creationIn(dataDir)) || !existsSync(database) || isEmpty(dataDir, database);
  if (!isNew) requireDatabase(dataDir, database);
  const free = freeMiB(dataDir);
  if (isNew && free < neededWhenNewMiB) {
    throw unusable(dataDir, `its disk is full: ${free} MiB are free, and a new database takes ${neededWhenNewMiB} MiB`);
  }
  // Last, because it creates the file.
  attempt(dataDir, () => closeSync(openSync(lockIn(dataDir), 'a')));
}

/**
 * Notes that a new database is going to be created in the folder, which this process has locked. If an earlier start was ended
 * in the middle of that, what it left is removed: PGlite could not open it. Does nothing if the folder has a database.
 */
export function beginCreation(dataDir: string): void {
  const database = databaseIn(dataDir);
  attempt(dataDir, () => {
    if (existsSync(creationIn(dataDir))) rmSync(database, { recursive: true, force: true });
    else if (existsSync(database) && !isEmpty(dataDir, database)) return;
    writeFileSync(creationIn(dataDir), '');
  });
}

/** Notes that the database is there, before anything is stored in it. */
export const endCreation = (dataDir: string): void => attempt(dataDir, () => rmSync(creationIn(dataDir), { force: true }));

/** Creates the folders above it, too. With `recursive`, mkdir never returns where the system has no folder but refuses with ENOENT, as in /proc. */
function createFolder(path: string): void {
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) return;
  } else if (!existsSync(dirname(path))) createFolder(dirname(path));
  else if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) throw new Error('it is a link that leads nowhere');
  mkdirSync(path);
}

function attempt(dataDir: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw unusable(dataDir, reasonOf(error));
  }
}

/** Why a database that was there did not open. */
export function explainDamage(dataDir: string, reason: string): ConfigError {
  const free = freeMiB(dataDir);
  if (free < neededMiB) return unusable(dataDir, `its disk is full: ${free} MiB are free (${reason})`);
  return unusable(
    dataDir,
    `the database in it is damaged (${reason}): restore a backup of the folder, or remove ${resolve(databaseIn(dataDir))} to begin with an empty one`,
  );
}

function requireDatabase(dataDir: string, database: string): void {
  let version: string;
  try {
    const file = join(database, 'PG_VERSION');
    version = readFileSync(file, 'utf8').trim();
    closeSync(openSync(file, 'r+'));
  } catch (error) {
    const isForeign = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw unusable(dataDir, isForeign ? 'its folder pglite is not one of Gapless, or is damaged: name another folder' : reasonOf(error));
  }
  if (version !== pgliteVersion) {
    throw unusable(
      dataDir,
      `its database has the format of PostgreSQL ${version}, and this version of Gapless reads that of ${pgliteVersion}`,
    );
  }
}

function isEmpty(dataDir: string, database: string): boolean {
  if (!statSync(database).isDirectory()) throw unusable(dataDir, 'pglite in it is a file: name another folder');
  try {
    return readdirSync(database).length === 0;
  } catch (error) {
    throw unusable(dataDir, reasonOf(error));
  }
}

function freeMiB(dataDir: string): number {
  const { bavail, bsize } = statfsSync(dataDir);
  return Math.floor((bavail * bsize) / 2 ** 20);
}

/** Why the operating system refused something. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

const reasons: Record<string, string> = {
  EEXIST: 'it is a file: name a folder',
  EISDIR: 'lock in it is a folder: name another folder',
  ENOTDIR: 'a part of the path is a file: name a folder',
  ENOENT: 'no folder can be created there: name another one',
  ENAMETOOLONG: 'its name is too long',
  EACCES: 'this user may not write to it',
  EPERM: 'this user may not write to it',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'its disk is full',
};
