// Users: guests, and users of the host application, who get a row when their token is first verified.

import { sql } from 'kysely';
import { newId } from './id.ts';
import { isFound, type NoRow, primary } from './primary.ts';
import { skeletonOf } from './skeleton.ts';
import { statement } from './statement.ts';
import { type Db, fold, selection, type Trx, type UserRow, userColumns } from './tables.ts';

/** Lengths of the suffixes that are tried, in characters. The next one is needed only if a suffix is taken. */
const suffixLengths = [4, 6, 10];
const maxNameLength = 80;

/**
 * Creates a guest. A name that looks like that of another guest gets a suffix, such as `Ada #k3f7`: the end of the guest's id,
 * so that it stays the same, and others can compare the two.
 */
export async function createGuest(db: Db, name: string): Promise<UserRow> {
  const id = newId('user');
  // In a transaction, which makes the row durable before the guest gets a token.
  return db.transaction().execute(async (trx) => {
    for (const each of [name, ...suffixLengths.map((length) => withSuffix(name, ` #${id.slice(-length)}`))]) {
      const created = await insertGuest(trx, id, each);
      if (created) return created;
    }
    throw new Error(`No name for the guest ${id} is free.`);
  });
}

/** Undefined if a guest has a name that looks like this one. */
function insertGuest(trx: Trx, id: string, name: string): Promise<UserRow | undefined> {
  return trx
    .insertInto('users')
    .values({ id, name, nameFolded: fold(name), skeleton: skeletonOf(name) })
    .onConflict((oc) => oc.column('skeleton').doNothing())
    .returning(userColumns)
    .executeTakeFirst();
}

const withSuffix = (name: string, suffix: string) =>
  [...name]
    .slice(0, maxNameLength - suffix.length)
    .join('')
    .trimEnd() + suffix;

/** The user with this subject: created if there is none, renamed if the name differs. */
export async function upsertUser(db: Db, subject: string, name: string): Promise<UserRow> {
  const known = await db.selectFrom('users').select(userColumns).where('subject', '=', subject).executeTakeFirst();
  if (known?.name === name) return known;
  return db.transaction().execute((trx) =>
    trx
      .insertInto('users')
      .values({ id: newId('user'), subject, name, nameFolded: fold(name) })
      .onConflict((oc) => oc.column('subject').doUpdateSet({ name, nameFolded: fold(name) }))
      .returning(userColumns)
      .executeTakeFirstOrThrow(),
  );
}

const usersById = statement<UserRow | NoRow, [ids: readonly string[]]>(
  (ids) => sql`select ${selection('users', userColumns)} from ${primary} left join users on id = any(${ids}::text[]) where is_primary = 1`,
);

export async function findUsers(db: Db, ids: readonly string[]): Promise<UserRow[]> {
  return (await usersById(db, ids)).filter(isFound);
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return (await findUsers(db, [id]))[0];
}
