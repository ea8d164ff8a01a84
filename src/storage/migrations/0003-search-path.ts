// The functions run with the search_path of the migration, which names the schema of the tables, and not with that of the
// session: a role, a database or a pooler may set another.

import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter function gapless_append(text, text, text) set search_path from current`.execute(db);
  await sql`alter function gapless_leave_rooms() set search_path from current`.execute(db);
}
