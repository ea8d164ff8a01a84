// rooms(filter: { nameContains }) finds OPEN rooms by trigrams of their names, where PostgreSQL has the extension pg_trgm and
// lets this role create it. Without it, names are read in the order of the list. docs/operations.md says how to add it later.

import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  // The handler undoes the block, and the other migrations continue. The extension may already be in a schema that is not in
  // search_path, so the operator class is named with its schema.
  await sql`do $$
    begin
      create extension if not exists pg_trgm;
      execute format(
        'create index rooms_open_by_name_part on rooms using gin (name_folded %I.gin_trgm_ops) where kind = %L and deleted_at is null',
        (select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'pg_trgm'), 'OPEN');
    exception when others then
      raise notice 'rooms have no index for nameContains: %', sqlerrm;
    end
  $$`.execute(db);
}
