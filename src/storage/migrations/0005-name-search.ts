// rooms(filter: { nameContains }) finds OPEN rooms by trigrams of their names, where PostgreSQL has the extension pg_trgm and
// lets this role create it. docs/operations.md says how to add it later.
// The names have a table of their own: each send updates its room's row, and so every index of `rooms`.

import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table room_names (
      room_id text collate "C" primary key references rooms (id) on delete cascade,
      name_folded text collate "C" not null)`.execute(db);
  await sql`insert into room_names (room_id, name_folded) select id, name_folded from rooms where kind = 'OPEN'`.execute(db);
  // The handler undoes the block, and the other migrations continue. The extension may already be in a schema that is not in
  // search_path, so the operator class is named with its schema.
  await sql`do $$
    begin
      create extension if not exists pg_trgm;
      execute format('create index room_names_by_part on room_names using gin (name_folded %I.gin_trgm_ops)',
        (select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'pg_trgm'));
    exception when others then
      raise notice 'the names of rooms have no index for nameContains: %', sqlerrm;
    end
  $$`.execute(db);
  await sql`
    create function gapless_name_room() returns trigger language plpgsql set search_path from current as $$
    begin
      insert into room_names (room_id, name_folded) values (new.id, new.name_folded)
        on conflict (room_id) do update set name_folded = excluded.name_folded;
      return null;
    end
    $$`.execute(db);
  // Locks the table until the migration ends, so it comes after the index. What was written meanwhile follows.
  await sql`create trigger rooms_are_named after insert or update of name_folded on rooms
    for each row when (new.kind = 'OPEN') execute function gapless_name_room()`.execute(db);
  await sql`
    insert into room_names (room_id, name_folded)
    select rooms.id, rooms.name_folded from rooms left join room_names on room_id = rooms.id
    where kind = 'OPEN' and room_names.name_folded is distinct from rooms.name_folded
    on conflict (room_id) do update set name_folded = excluded.name_folded`.execute(db);
  await sql`analyze room_names`.execute(db);
}
