// The skeletons of the names of guests: see storage/skeleton.ts. Unique, so that two guests who sign in at the same time do not
// get names that look alike. Null for users of a host application, and for guests whom a node of an earlier version creates.

import { type Kysely, sql } from 'kysely';
import { skeletonOf } from '../skeleton.ts';

const batch = 5000;

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table users add column skeleton text collate "C"`.execute(db);
  await sql`create unique index users_by_skeleton on users (skeleton)`.execute(db);
  // Of several guests whose names look alike, the first keeps the name for itself.
  for (let after = ''; ; ) {
    const { rows } = await sql<{ id: string; name: string }>`
      select id, name from users where subject is null and id > ${after} order by id limit ${batch}`.execute(db);
    const last = rows.at(-1);
    if (!last) return;
    const first = new Map(rows.toReversed().map(({ id, name }) => [skeletonOf(name), id]));
    await sql`
      update users set skeleton = given.skeleton
      from unnest(${[...first.values()]}::text[], ${[...first.keys()]}::text[]) as given (id, skeleton)
      where users.id = given.id and not exists (select from users taken where taken.skeleton = given.skeleton)`.execute(db);
    after = last.id;
  }
}
