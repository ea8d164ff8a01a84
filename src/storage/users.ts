// People: guests, who gave a name, and users of the host application, who appear when their token is first seen.

import { newId } from './id.ts';
import { type Db, fold, type UserRow } from './tables.ts';

export async function createGuest(db: Db, name: string): Promise<UserRow> {
  return db
    .insertInto('users')
    .values({ id: newId('user'), name, nameFolded: fold(name) })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The user of that subject, created where there is none yet and renamed where the name is another. */
export async function upsertUser(db: Db, subject: string, name: string): Promise<UserRow> {
  const row = await db
    .insertInto('users')
    .values({ id: newId('user'), subject, name, nameFolded: fold(name) })
    .onConflict((oc) =>
      oc
        .column('subject')
        .doUpdateSet({ name, nameFolded: fold(name) })
        .where('users.name', '<>', name),
    )
    .returningAll()
    .executeTakeFirst();
  return row ?? db.selectFrom('users').selectAll().where('subject', '=', subject).executeTakeFirstOrThrow();
}

export async function findUsers(db: Db, ids: readonly string[]): Promise<UserRow[]> {
  return db.selectFrom('users').selectAll().where('id', 'in', ids).execute();
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return (await findUsers(db, [id]))[0];
}
