// The skeletons of the names of guests: see storage/skeleton.ts. Null for users of a host application, and for guests whom a node
// of an earlier version creates.

import { type Kysely, sql } from 'kysely';
import { skeletonOf } from '../skeleton.ts';

const batch = 5000;

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table users add column skeleton text collate "C"`.execute(db);
  for (let after = ''; ; ) {
    const { rows } = await sql<{ id: string; name: string }>`
      select id, name from users where subject is null and id > ${after} order by id limit ${batch}`.execute(db);
    const last = rows.at(-1);
    if (!last) break;
    await sql`
      update users set skeleton = given.skeleton
      from unnest(${rows.map(({ id }) => id)}::text[], ${rows.map(({ name }) => skeletonOf(name))}::text[]) as given (id, skeleton)
      where users.id = given.id`.execute(db);
    after = last.id;
  }
  // createGuest: whether another spelling of a name is in use, however many guests have the name
  await sql`create index users_by_skeleton on users (skeleton, name_folded) where skeleton is not null`.execute(db);
}
