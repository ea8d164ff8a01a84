// Users: guests, and users of the host application, who get a row when their token is first verified.

import { sql } from 'kysely';
import { newId } from './id.ts';
import { isFound, type NoRow, primary } from './primary.ts';
import { skeletonOf } from './skeleton.ts';
import { statement } from './statement.ts';
import { type Db, fold, selection, type Trx, table, type UserRow, userColumns } from './tables.ts';

const maxNameLength = 80;
/** Characters of the guest's id that tell apart two names that look alike. */
const suffixLength = 4;

/**
 * Creates a guest. Many guests may have the same name. A name that only looks like that of another guest gets a suffix, such as
 * `Ada #k3f7`: the end of the guest's id, so that it stays the same.
 */
export async function createGuest(db: Db, name: string): Promise<UserRow> {
  const id = newId('user');
  // In a transaction, which makes the row durable before the guest gets a token.
  const user = await db.transaction().execute(async (trx) =>
    trx
      .insertInto('users')
      .values({ id, ...columnsOfName(await distinctName(trx, id, name)) })
      .returning(userColumns)
      .executeTakeFirstOrThrow(),
  );
  // Of two guests who are created at the same time, at least one sees the other here, because both are committed before they look.
  const distinct = user.name === name ? await distinctName(db, id, name) : user.name;
  if (distinct === user.name) return user;
  return db.transaction().execute(async (trx) => (await updateUser(trx, id, { name: distinct })) as UserRow);
}

const columnsOfName = (name: string) => ({ name, nameFolded: fold(name), skeleton: skeletonOf(name) });

/** The name for a guest: with a suffix if another guest has another name that looks like this one. */
export async function distinctName(db: Db, id: string, name: string): Promise<string> {
  const { nameFolded, skeleton } = columnsOfName(name);
  // Two ranges of an index. With <>, the index would be read from the first to the last guest with this name.
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from ${table('users')} where skeleton = ${skeleton} and name_folded < ${nameFolded} and id <> ${id})
      or exists (select from ${table('users')} where skeleton = ${skeleton} and name_folded > ${nameFolded} and id <> ${id}) as found`.execute(
    db,
  );
  return rows[0]?.found === true ? withSuffix(name, ` #${id.slice(-suffixLength)}`) : name;
}

/** How others see a user. */
export interface Appearance {
  /** Null: no picture. */
  readonly avatarUrl?: string | null;
  /** Whether they see what the user has read. */
  readonly sharesReceipts?: boolean;
}

/** Changes the given fields of a user, of whom only a guest has a name of their own. Undefined if there is no such user. */
export async function updateUser(
  trx: Trx,
  id: string,
  { name, ...appearance }: Appearance & { readonly name?: string },
): Promise<UserRow | undefined> {
  const changes = { ...appearance, ...(name === undefined ? {} : columnsOfName(name)) };
  if (Object.keys(changes).length === 0) return findUser(trx, id);
  return trx.updateTable('users').set(changes).where('id', '=', id).returning(userColumns).executeTakeFirst();
}

const withSuffix = (name: string, suffix: string) =>
  [...name]
    .slice(0, maxNameLength - suffix.length)
    .join('')
    .trimEnd() + suffix;

/**
 * The user with this subject: created if there is none, renamed if the name differs. `issuedAt` is the `iat` of the token that
 * has the name, or 0. The newest token names the user, so an older one that arrives later does not rename them back.
 */
export async function upsertUser(db: Db, subject: string, name: string, issuedAt: number): Promise<UserRow> {
  const known = await db.selectFrom('users').select(userColumns).where('subject', '=', subject).executeTakeFirst();
  const namedAt = known?.nameIssuedAt ?? 0;
  if (known && (namedAt > issuedAt || (known.name === name && namedAt === issuedAt))) return known;
  const isNewest = sql<boolean>`coalesce(users.name_issued_at, 0) <= ${issuedAt}`;
  const written = await db.transaction().execute((trx) =>
    trx
      .insertInto('users')
      .values({ id: newId('user'), subject, name, nameFolded: fold(name), nameIssuedAt: issuedAt })
      .onConflict((oc) =>
        oc
          .column('subject')
          .doUpdateSet({ name, nameFolded: fold(name), nameIssuedAt: issuedAt })
          .where(isNewest),
      )
      .returning(userColumns)
      .executeTakeFirst(),
  );
  // Without a row, a newer token has named the user meanwhile.
  return written ?? (await db.selectFrom('users').select(userColumns).where('subject', '=', subject).executeTakeFirstOrThrow());
}

const usersById = statement<UserRow | NoRow, [ids: readonly string[]]>(
  (ids) =>
    sql`select ${selection('users', userColumns)} from ${primary} left join ${table('users')} on id = any(${ids}::text[]) where is_primary = 1`,
);

export async function findUsers(db: Db, ids: readonly string[]): Promise<UserRow[]> {
  return (await usersById(db, ids)).filter(isFound);
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return (await findUsers(db, [id]))[0];
}

/** Keeps the users that exist from being deleted before the transaction ends. Waits for a deletion that is under way. */
export async function lockUsers(trx: Trx, ids: readonly string[]): Promise<void> {
  await sql`select id from ${table('users')} where id = any(${[...ids]}::text[]) order by id for key share`.execute(trx);
}
