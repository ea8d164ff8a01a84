// The members of a room.

import { sql } from 'kysely';
import { noSuchRoom } from '../errors.ts';
import { noteMemberships } from './changes.ts';
import { decodeListCursor, encodeListCursor } from './cursor.ts';
import { newId } from './id.ts';
import { type Page, type PageArgs, toPage, toWindow } from './page.ts';
import { primary } from './primary.ts';
import { mayRead } from './rights.ts';
import type { RoomView } from './rooms.ts';
import { statement } from './statement.ts';
import {
  currentXid,
  type Db,
  type MembershipRow,
  membershipColumns,
  type NotificationLevel,
  qualified,
  type RoomRole,
  type RoomRow,
  roomColumns,
  selection,
  type Trx,
  table,
} from './tables.ts';

export async function findMember(trx: Trx, roomId: string, userId: string): Promise<MembershipRow | undefined> {
  return trx
    .selectFrom('memberships')
    .select(membershipColumns)
    .where('userId', '=', userId)
    .where('roomId', '=', roomId)
    .executeTakeFirst();
}

/** A room, and what a user is in it. */
export interface Standing {
  readonly row: RoomRow;
  readonly mayRead: boolean;
  /** Undefined for a user who is not a member, such as a reader of an OPEN room. */
  readonly membership: MembershipRow | undefined;
}

type StandingRow = RoomRow & {
  readonly place: number;
  readonly mayRead: boolean;
  /** The other columns of the membership are null without it. */
  readonly membershipId: string | null;
} & MembershipState;

/** The columns of a membership that no table but `memberships` has. */
const stateColumns = membershipColumns.filter((name) => name !== 'id' && name !== 'roomId' && name !== 'userId');
type MembershipState = Omit<MembershipRow, 'id' | 'roomId' | 'userId'>;

const standings = statement<StandingRow, [viewerIds: readonly string[], roomIds: readonly string[]]>(
  (viewerIds, roomIds) => sql`
    select view.place, ${selection('rooms', roomColumns)}, ${mayRead(sql.ref('view.viewer_id'))} as may_read,
      memberships.id as membership_id, ${selection('memberships', stateColumns)}
    from ${primary} left join (
      unnest(${viewerIds}::text[], ${roomIds}::text[]) with ordinality as view (viewer_id, room_id, place)
      join ${table('rooms')} on rooms.id = view.room_id
      left join ${table('memberships')} on memberships.user_id = view.viewer_id and memberships.room_id = rooms.id
    ) on true
    where is_primary = 1`,
);

/** For each view, in order: the standing of that viewer. Undefined if there is no such room. */
export async function findStandings(db: Db, views: readonly RoomView[]): Promise<(Standing | undefined)[]> {
  const rows = await standings(
    db,
    views.map(({ viewerId }) => viewerId),
    views.map(({ roomId }) => roomId),
  );
  const found = new Map(rows.map((row) => [row.place, row]));
  return views.map(({ viewerId }, index) => {
    const place = found.get(index + 1);
    return place && toStanding(place, viewerId);
  });
}

function toStanding({ place, mayRead, membershipId, ...columns }: StandingRow, userId: string): Standing {
  const { role, joinedAt, readSeq, readTag, readNumber, readTalk, readVersion, seenNumber, notificationLevel, mutedUntil, ...row } =
    columns;
  if (membershipId === null) return { row, mayRead, membership: undefined };
  const marker = { readSeq, readTag, readNumber, readTalk, readVersion, seenNumber };
  const membership = { id: membershipId, roomId: row.id, userId, role, joinedAt, ...marker, notificationLevel, mutedUntil };
  return { row, mayRead, membership };
}

/** The memberships in rooms that the viewer may read. */
const readable = (db: Db, viewerId: string) =>
  db
    .selectFrom('memberships')
    .innerJoin('rooms', 'rooms.id', 'memberships.roomId')
    .select(qualified('memberships', membershipColumns))
    .where(mayRead(viewerId));

export async function findMemberships(db: Db, viewerId: string, ids: readonly string[]): Promise<MembershipRow[]> {
  return readable(db, viewerId).where('memberships.id', 'in', ids).execute();
}

/** The memberships of one user in many rooms. */
export async function findMembershipsOf(db: Db, viewerId: string, userId: string, roomIds: readonly string[]): Promise<MembershipRow[]> {
  return readable(db, viewerId).where('memberships.userId', '=', userId).where('memberships.roomId', 'in', roomIds).execute();
}

/** The memberships of the other member in each of these DIRECT rooms of the viewer. */
export async function findPeers(db: Db, viewerId: string, roomIds: readonly string[]): Promise<MembershipRow[]> {
  return readable(db, viewerId).where('memberships.userId', '<>', viewerId).where('memberships.roomId', 'in', roomIds).execute();
}

/** The member who joined first. */
export async function findOldestMember(trx: Trx, roomId: string): Promise<MembershipRow | undefined> {
  return trx
    .selectFrom('memberships')
    .select(membershipColumns)
    .where('roomId', '=', roomId)
    .orderBy('joinedAt')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

/** Adds members of a room, who have read it up to its head. */
export async function insertMembers(trx: Trx, room: RoomRow, userIds: readonly string[], role: RoomRole): Promise<MembershipRow[]> {
  const { id: roomId, headSeq, headTag, lastNumber, talkCount } = room;
  const marker = { readSeq: headSeq, readTag: headTag, readNumber: lastNumber, readTalk: talkCount, seenNumber: lastNumber };
  return trx
    .insertInto('memberships')
    .values(userIds.map((userId) => ({ id: newId('membership'), roomId, userId, role, ...marker })))
    .returning(membershipColumns)
    .execute();
}

export async function deleteMember(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('memberships').where('id', '=', id).execute();
}

/** Says that a member who was deleted in this transaction left by themselves: see the migration 0007. */
export async function noteLeft(trx: Trx, { userId, roomId }: MembershipRow): Promise<void> {
  await trx.updateTable('departures').set({ reason: 'LEFT' }).where('userId', '=', userId).where('roomId', '=', roomId).execute();
}

/** What a member wants to be notified of. */
export interface Notifications {
  readonly notificationLevel?: NotificationLevel;
  /** Null: not muted. */
  readonly mutedUntil?: Date | null;
}

/** Changes the given settings of a member, and notes it. Undefined if the user is not a member, or there is no such room. */
export async function updateNotifications(
  trx: Trx,
  userId: string,
  roomId: string,
  changes: Notifications,
): Promise<MembershipRow | undefined> {
  const membership = await trx
    .selectFrom('memberships')
    .innerJoin('rooms', 'rooms.id', 'memberships.roomId')
    .select(qualified('memberships', membershipColumns))
    .where('memberships.userId', '=', userId)
    .where('memberships.roomId', '=', roomId)
    .where('rooms.deletedAt', 'is', null)
    .forNoKeyUpdate('memberships')
    .executeTakeFirst();
  if (!membership) return undefined;
  const { notificationLevel = membership.notificationLevel, mutedUntil = membership.mutedUntil } = changes;
  const isSame = notificationLevel === membership.notificationLevel && mutedUntil?.getTime() === membership.mutedUntil?.getTime();
  if (isSame) return membership;
  await noteMemberships(trx, [membership]);
  return trx
    .updateTable('memberships')
    .set({ notificationLevel, mutedUntil, changedXid: currentXid })
    .where('id', '=', membership.id)
    .returning(membershipColumns)
    .executeTakeFirstOrThrow();
}

export async function makeOwner(trx: Trx, id: string): Promise<void> {
  await trx.updateTable('memberships').set({ role: 'OWNER' }).where('id', '=', id).execute();
}

/** A page of the members, in the order in which they joined. Throws NOT_FOUND if the viewer may not read the room. */
export async function listMembers(db: Db, viewerId: string, roomId: string, args: PageArgs): Promise<Page<MembershipRow>> {
  const window = toWindow(args);
  const list = listName(roomId);
  const after = args.after == null ? undefined : decodeListCursor(list, 'number', args.after);
  const before = args.before == null ? undefined : decodeListCursor(list, 'number', args.before);
  const beyond = (direction: '>' | '<', { key, id }: { key: string | number; id: string }) =>
    sql<boolean>`(joined_at, id) ${sql.raw(direction)} (${new Date(key)}, ${id})`;
  const order = window.fromEnd ? 'desc' : 'asc';
  const rows = await db
    .selectFrom('rooms')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('memberships')
          .select(membershipColumns)
          .whereRef('roomId', '=', 'rooms.id')
          .$if(after !== undefined, (qb) => qb.where(beyond('>', after as NonNullable<typeof after>)))
          .$if(before !== undefined, (qb) => qb.where(beyond('<', before as NonNullable<typeof before>)))
          .orderBy('joinedAt', order)
          .orderBy('id', order)
          .limit(window.limit + 1)
          .as('member'),
      (join) => join.onTrue(),
    )
    .where('rooms.id', '=', roomId)
    .where(mayRead(viewerId))
    .select(qualified('member', membershipColumns))
    .orderBy('member.joinedAt', order)
    .orderBy('member.id', order)
    .execute();
  if (rows.length === 0) throw noSuchRoom();
  const members = rows.filter((row): row is MembershipRow => row.id !== null);
  return toPage(members, window, { before: after !== undefined, after: before !== undefined });
}

export const memberCursor = (row: MembershipRow) => encodeListCursor(listName(row.roomId), { key: row.joinedAt.getTime(), id: row.id });

const listName = (roomId: string) => `members of ${roomId}`;
