// Who is in a room.

import { type ExpressionBuilder, sql } from 'kysely';
import { decodeListCursor, encodeListCursor } from './cursor.ts';
import { newId } from './id.ts';
import { type Page, type PageArgs, toPage, toWindow } from './page.ts';
import type { Database, Db, MembershipRow, RoomRole, Trx } from './tables.ts';

export async function findMember(db: Db, roomId: string, userId: string): Promise<MembershipRow | undefined> {
  return db.selectFrom('memberships').selectAll().where('userId', '=', userId).where('roomId', '=', roomId).executeTakeFirst();
}

export async function findMemberships(db: Db, ids: readonly string[]): Promise<MembershipRow[]> {
  return db.selectFrom('memberships').selectAll().where('id', 'in', ids).execute();
}

/** The memberships of one user in many rooms. */
export async function findMembershipsOf(db: Db, userId: string, roomIds: readonly string[]): Promise<MembershipRow[]> {
  return db.selectFrom('memberships').selectAll().where('userId', '=', userId).where('roomId', 'in', roomIds).execute();
}

/** The memberships of everyone but `userId`, in rooms of two: the peers. */
export async function findPeers(db: Db, userId: string, roomIds: readonly string[]): Promise<MembershipRow[]> {
  return db.selectFrom('memberships').selectAll().where('userId', '<>', userId).where('roomId', 'in', roomIds).execute();
}

/** The member who has been there longest. */
export async function findOldestMember(trx: Trx, roomId: string): Promise<MembershipRow | undefined> {
  return trx
    .selectFrom('memberships')
    .selectAll()
    .where('roomId', '=', roomId)
    .orderBy('joinedAt')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

export async function insertMembers(trx: Trx, roomId: string, userIds: readonly string[], role: RoomRole): Promise<MembershipRow[]> {
  return trx
    .insertInto('memberships')
    .values(userIds.map((userId) => ({ id: newId('membership'), roomId, userId, role })))
    .returningAll()
    .execute();
}

export async function deleteMember(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('memberships').where('id', '=', id).execute();
}

export async function makeOwner(trx: Trx, id: string): Promise<void> {
  await trx.updateTable('memberships').set({ role: 'OWNER' }).where('id', '=', id).execute();
}

/** A page of the members, in the order in which they joined. */
export async function listMembers(db: Db, roomId: string, args: PageArgs): Promise<Page<MembershipRow>> {
  const window = toWindow(args);
  const list = listName(roomId);
  const after = args.after == null ? undefined : decodeListCursor(list, 'number', args.after);
  const before = args.before == null ? undefined : decodeListCursor(list, 'number', args.before);
  const beyond = (direction: '>' | '<', { key, id }: { key: string | number; id: string }) =>
    sql<boolean>`(joined_at, id) ${sql.raw(direction)} (${new Date(key)}, ${id})`;
  const order = window.fromEnd ? 'desc' : 'asc';
  const rows = await db
    .selectFrom('memberships')
    .selectAll()
    .where('roomId', '=', roomId)
    .$if(after !== undefined, (qb) => qb.where(beyond('>', after as NonNullable<typeof after>)))
    .$if(before !== undefined, (qb) => qb.where(beyond('<', before as NonNullable<typeof before>)))
    .orderBy('joinedAt', order)
    .orderBy('id', order)
    .limit(window.limit + 1)
    .execute();
  return toPage(rows, window, { before: after !== undefined, after: before !== undefined });
}

export const memberCursor = (row: MembershipRow) => encodeListCursor(listName(row.roomId), { key: row.joinedAt.getTime(), id: row.id });

const listName = (roomId: string) => `members of ${roomId}`;

/** `exists`: whether the user is a member of the row's room. */
export function isMember(eb: ExpressionBuilder<Database, 'rooms'>, userId: string) {
  return eb.exists(
    eb
      .selectFrom('memberships')
      .select(sql`1`.as('one'))
      .whereRef('memberships.roomId', '=', 'rooms.id')
      .where('memberships.userId', '=', userId),
  );
}
