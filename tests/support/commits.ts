// Records in the database how durable each commit is.

import { sql } from 'kysely';
import pg from 'pg';
import type { Db } from '../../src/storage/tables.ts';

/** The tables whose writes are recorded. A room's row also changes with each entry. */
const written = {
  users: 'insert or update',
  rooms: 'insert',
  memberships: 'insert or update',
  messages: 'insert or update',
  secrets: 'insert',
};

/** Changes a default of the database for new sessions. */
export async function setDefault(url: string, setting: string, value: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(`alter database ${new URL(url).pathname.slice(1)} set ${setting} = ${value}`);
  } finally {
    await client.end();
  }
}

/** From now on, each written row records the synchronous_commit with which its transaction commits. */
export async function recordCommits(db: Db): Promise<void> {
  await sql`create table commits (id bigserial, "table" text not null, setting text not null)`.execute(db);
  await sql`create function record_commit() returns trigger language plpgsql as $$
    begin
      insert into commits ("table", setting) values (tg_table_name, current_setting('synchronous_commit'));
      return null;
    end $$`.execute(db);
  for (const [table, event] of Object.entries(written)) {
    // Deferred: it fires when the transaction commits.
    await sql`create constraint trigger record_commit after ${sql.raw(event)} on ${sql.ref(table)}
      deferrable initially deferred for each row execute function record_commit()`.execute(db);
  }
}

export async function recordedCommits(db: Db): Promise<readonly { readonly table: string; readonly setting: string }[]> {
  return (await sql<{ table: string; setting: string }>`select "table", setting from commits order by id`.execute(db)).rows;
}
