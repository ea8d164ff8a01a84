// Migrates the tables to this version. If several nodes start at the same time, one of them migrates and the others wait.
// A migration only adds, because nodes of the previous version still run on the same database: see docs/operations.md.

import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { FileMigrationProvider, type Migration, Migrator } from 'kysely/migration';
import { ConfigError } from '../config.ts';
import { DatabaseFailure } from './failure.ts';
import { defaultSchema } from './kysely.ts';
import { inspectRights, migrationRefused, type Rights, requireCreate, requireSchema, tablesRefused } from './migration-rights.ts';
import type { Db, Trx } from './tables.ts';

const migrationFolder = path.join(import.meta.dirname, 'migrations');
/** Key of the advisory lock of the node that migrates. Arbitrary. */
const advisoryLock = 4_736_170_118;
/** Key of the lock that Kysely takes for every migration, so that a node of version 0.1 does not migrate meanwhile. */
const kyselyLock = sql.lit('3853314791062309107');
/**
 * How long a migration waits for a table that nodes hold: less than the `deadlock_timeout` of PostgreSQL, which would end the
 * transaction of a node otherwise. Then it is begun again, after a pause.
 */
const lockTimeoutMs = 300;
const maxPauseMs = 300;
const maxAttempts = 300;
/** SQLSTATEs of a lock that was not available in time, and of a deadlock. */
const heldCodes = ['55P03', '40P01'];
/** The names are not those of Kysely, so that another application with Kysely may use the same schema. */
const ledger = 'gapless_migration';
/** Version 0.1 recorded this migration, and no other, in the table `kysely_migration`. It starts only if it finds that. */
const first = '0001-room-log';
/** The name of a migration that removes what an earlier version uses: a version that does not know it cannot work with it. */
const contracting = /^\d{4}-contract-/;

/**
 * Applies every file of the folder `migrations` that has not been applied, in the order of their names. Returns the names of
 * those that a newer version has applied. `setSchema` is the schema that DATABASE_SCHEMA names. Throws ConfigError if this version cannot work with what is there.
 */
export async function migrate(db: Db, setSchema?: string): Promise<string[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await migrateOnce(db, setSchema);
    } catch (error) {
      // Nodes that run meanwhile hold a table. Nothing was changed.
      const isHeld = error instanceof DatabaseFailure && heldCodes.includes(error.code ?? '');
      if (!isHeld || attempt === maxAttempts) throw error;
      await sleep(Math.random() * maxPauseMs);
    }
  }
}

async function migrateOnce(db: Db, setSchema: string | undefined): Promise<string[]> {
  const schema = setSchema ?? defaultSchema;
  const known = await new FileMigrationProvider({ fs, path, migrationFolder }).getMigrations();
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${advisoryLock})`.execute(trx);
    await sql`select pg_advisory_xact_lock(${kyselyLock})`.execute(trx);
    await sql`set local lock_timeout = ${sql.lit(lockTimeoutMs)}`.execute(trx);
    const rights = await inspectRights(trx, schema);
    await requireSchema(trx, rights, setSchema !== undefined);
    // Migrations create and name everything in this schema. `pg_temp` comes last, or it would be searched first.
    await sql`select set_config('search_path', quote_ident(${schema}) || ', pg_temp', true)`.execute(trx);
    const applied = await readLedger(trx, schema, rights);
    const newer = applied.filter((name) => !Object.hasOwn(known, name));
    const contracted = newer.find((name) => contracting.test(name));
    if (contracted !== undefined) throw new ConfigError(sentenceFor(contracted));
    const pending = Object.keys(known).some((name) => !applied.includes(name));
    if (pending) {
      requireCreate(rights);
      await apply(trx, schema, rights, { ...asApplied(applied), ...known });
    }
    return newer;
  });
}

/** The names of the migrations that were applied, after those that version 0.1 recorded were copied to our own table. */
async function readLedger(trx: Trx, schema: string, rights: Rights): Promise<string[]> {
  const { rows: found } = await sql<{ own: boolean; old: boolean }>`
    select exists (${tableNamed(schema, ledger)}) as own,
      exists (${tableNamed(schema, 'kysely_migration')}) and exists (${tableNamed(schema, 'room_log')}) as old`.execute(trx);
  const [{ own, old }] = found as [{ own: boolean; old: boolean }];
  const names = own ? await readNames(trx, rights) : [];
  if (!old || names.includes(first)) return names;
  const copied = await sql`select from kysely_migration where name = ${first}`.execute(trx);
  if (copied.rows.length === 0) return names;
  await sql`create table if not exists ${sql.id(ledger)} (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(trx);
  // With its time, by which the migrations are sorted.
  await sql`insert into ${sql.id(ledger)} (name, timestamp) select name, timestamp from kysely_migration where name = ${first}`.execute(
    trx,
  );
  return readNames(trx, rights);
}

const tableNamed = (schema: string, name: string) =>
  sql`select from pg_class where relname = ${name} and relnamespace = to_regnamespace(quote_ident(${schema}))`;

async function readNames(trx: Trx, rights: Rights): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from ${sql.id(ledger)}`.execute(trx);
    return rows.map(({ name }) => name);
  } catch (error) {
    throw isRefusal(error) ? tablesRefused(rights, ledger) : error;
  }
}

/** The migrator refuses to start if it does not know a migration that was applied. */
const asApplied = (names: readonly string[]): Record<string, Migration> =>
  Object.fromEntries(names.map((name) => [name, { up: async () => {} }]));

async function apply(trx: Trx, schema: string, rights: Rights, migrations: Record<string, Migration>): Promise<void> {
  // Without plugins, which would convert the name of the schema. The migrations get the handle that has them.
  const withPlugins = ([name, migration]: [string, Migration]) => [name, { up: () => migration.up(trx) }];
  const bound = Object.fromEntries(Object.entries(migrations).map(withPlugins)) as Record<string, Migration>;
  const migrator = new Migrator({
    db: trx.withoutPlugins(),
    provider: { getMigrations: async () => bound },
    migrationTableSchema: schema,
    migrationTableName: ledger,
    migrationLockTableName: `${ledger}_lock`,
  });
  const { error } = await migrator.migrateToLatest();
  if (error) throw isRefusal(error) ? migrationRefused(rights, error) : error;
}

/** Whether the role may not run the statement. */
const isRefusal = (error: unknown): error is DatabaseFailure => error instanceof DatabaseFailure && error.code === '42501';

const sentenceFor = (name: string) =>
  `The database was changed by a newer version of Gapless (its migration ${name}), and this version cannot work with it: start the newer version, or restore a backup.`;
