// What the role may do in the schema of the tables, and the sentence that names the grant that it lacks.

import { sql } from 'kysely';
import { ConfigError } from '../config.ts';
import type { DatabaseFailure } from './failure.ts';
import { type Db, storedName, type Trx, tableNames } from './tables.ts';

export interface Rights {
  /** Quoted where SQL needs it, like `schema` and `database`. */
  readonly role: string;
  readonly schema: string;
  readonly database: string;
  readonly exists: boolean;
  readonly mayCreateSchema: boolean;
  readonly mayUse: boolean;
  readonly mayCreate: boolean;
  /** The schema in which search_path finds the tables, if this one has none. */
  readonly elsewhere: string | null;
}

export async function inspectRights(trx: Trx, schema: string): Promise<Rights> {
  const { rows } = await sql<Rights>`
    select quote_ident(current_user) as role, quote_ident(${schema}) as schema, quote_ident(current_database()) as database,
      named.oid is not null as exists,
      has_database_privilege(current_database(), 'create') as may_create_schema,
      coalesce(has_schema_privilege(named.oid, 'usage'), false) as may_use,
      coalesce(has_schema_privilege(named.oid, 'create'), false) as may_create,
      (select nspname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where pg_class.oid = to_regclass('room_log') and nspname <> ${schema}
          and not exists (select from pg_class where relname = 'room_log' and relnamespace = named.oid)) as elsewhere
    from (values (to_regnamespace(quote_ident(${schema}))::oid)) as named (oid)`.execute(trx);
  return rows[0] as Rights;
}

/** Creates the schema if there is none. `isSet` says whether it was named by the operator. */
export async function requireSchema(trx: Trx, rights: Rights, isSet: boolean): Promise<void> {
  const { role, schema, database, exists, mayCreateSchema, mayUse, elsewhere } = rights;
  if (!isSet && elsewhere !== null) {
    throw new ConfigError(
      `DATABASE_SCHEMA is not set, but the tables are in the schema ${elsewhere}, which search_path names: set DATABASE_SCHEMA=${elsewhere}.`,
    );
  }
  if (!exists && !mayCreateSchema) {
    throw new ConfigError(
      `DATABASE_SCHEMA: the role ${role} may not create the schema ${schema}: run create schema ${schema} authorization ${role}, or grant create on database ${database} to ${role}.`,
    );
  }
  if (!exists) await sql`create schema ${sql.raw(schema)}`.execute(trx);
  else if (!mayUse) {
    throw new ConfigError(
      `DATABASE_URL: the role ${role} may not use the schema ${schema}: run grant usage, create on schema ${schema} to ${role}.`,
    );
  }
}

/** Throws ConfigError if the role may not create tables. */
export function requireCreate({ role, schema, exists, mayCreate }: Rights): void {
  if (!exists || mayCreate) return;
  throw new ConfigError(
    `DATABASE_URL: the role ${role} may not create tables in the schema ${schema}: run grant usage, create on schema ${schema} to ${role}.`,
  );
}

/** The sentence for a statement of a migration that the role may not run, as if it does not own a table. */
export const migrationRefused = ({ role, schema }: Rights, { message }: DatabaseFailure) =>
  new ConfigError(
    `DATABASE_URL: the role ${role} may not migrate the tables in the schema ${schema} (${message}): start this version once as the role that owns them.`,
  );

/** The sentence for tables that the role may not read or write. */
export const tablesRefused = ({ role, schema }: Pick<Rights, 'role' | 'schema'>, tables: string) =>
  new ConfigError(
    `DATABASE_URL: the role ${role} may not read and write ${tables}: run grant select, insert, update, delete on all tables in schema ${schema} to ${role}.`,
  );

/** Throws ConfigError if the role may not read or write one of the tables, as after another role has migrated them. */
export async function requireTableRights(db: Db, schema: string): Promise<void> {
  const { rows } = await sql<{ role: string; schema: string; refused: string | null }>`
    select quote_ident(current_user) as role, quote_ident(${schema}) as schema, string_agg(relname, ', ') as refused
    from pg_class
    where relnamespace = to_regnamespace(quote_ident(${schema})) and relname = any(${tableNames.map(storedName)}::text[])
      and not (has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
        and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))`.execute(db);
  const [found] = rows as [{ role: string; schema: string; refused: string | null }];
  if (found.refused !== null) throw tablesRefused(found, found.refused);
}
