// Unread messages of a member: those of kind TALK, not deleted and not their own, after their read marker and after what
// retention removed. Counted from the marker and the counts of the room in one statement, so that both are of one snapshot.

import { sql } from 'kysely';
import { statement } from './statement.ts';
import { type Db, type MembershipRow, membershipColumns, now, type RoomRow, roomColumns, selection, table } from './tables.ts';

/** Up to this number, counts are exact. Above it, own messages after the marker are counted too, because looking for them would take long. */
const exactThrough = 100;

/**
 * Joins `unread.count` to a statement that reads from `memberships` and their `rooms`.
 *
 * 1. Both the room and the marker have counted the TALK messages. The difference is what came after the marker.
 * 2. Deleted messages are subtracted: an index has only those.
 * 3. Own messages are subtracted. At most `exactThrough` rows are read to find them, because 1 and 2 leave no more.
 */
const unread = sql`
  cross join lateral (
    select greatest(memberships.read_seq, rooms.floor_seq) as seq,
      greatest(memberships.read_number, rooms.floor_number) as number,
      rooms.talk_count - case when memberships.read_number >= rooms.floor_number then memberships.read_talk else rooms.floor_talk_count end as talk
  ) as base
  cross join lateral (
    select count(*)::int as count from ${table('messages')}
    where messages.room_id = rooms.id and messages.seq > base.seq and messages.kind = 'TALK' and messages.deleted_at is not null
      and base.talk > 0 and rooms.last_deleted_number > base.number
  ) as deleted
  cross join lateral (
    select count(*)::int as count from ${table('messages')}
    where messages.room_id = rooms.id and messages.seq > base.seq and messages.kind = 'TALK' and messages.deleted_at is null
      and messages.sender_id = memberships.user_id
      and base.talk - deleted.count between 1 and ${sql.lit(exactThrough)}
  ) as own
  cross join lateral (select greatest(base.talk - deleted.count - own.count, 0)::int as count) as unread`;

/** The columns of a room that its unread messages are counted from. */
const countColumns = ['id', 'talkCount', 'lastDeletedNumber', 'floorSeq', 'floorNumber', 'floorTalkCount'] as const;

/**
 * The memberships of a user, with their rooms and `unread.count`. Rooms are looked up one by one, because for 1,000 of them the
 * planner would scan the whole table.
 */
const ofUser = (userId: unknown, columns: readonly string[] = countColumns) => sql`
  ${table('memberships')} cross join lateral (
    select ${selection('rooms', columns)} from ${table('rooms')}
    where id = memberships.room_id and deleted_at is null limit 1
  ) as rooms ${unread}
  where memberships.user_id = ${userId}`;

/** Of the memberships that a statement reads: not muted, and with messages after the marker, which is known before they are counted. */
const mayCount = sql`(memberships.muted_until is null or memberships.muted_until <= ${now}) and base.talk > 0`;

/** The ids of the rooms with unread messages that the user has not muted, as a table. */
export const unreadRooms = (userId: string) =>
  sql<{ roomId: string }>`(select memberships.room_id from ${ofUser(userId)} and ${mayCount} and unread.count > 0)`;

export interface UnreadCount {
  readonly roomId: string;
  readonly count: number;
}

/** With the membership and the room that the messages were counted in, all of one snapshot. A client counts on from it. */
export interface CountedRoom extends UnreadCount {
  readonly membership: MembershipRow;
  readonly room: RoomRow;
}

/** Columns of tables that have columns of the same name, under names of their own. */
const renamed = (alias: string, names: readonly string[]) =>
  sql.join(names.map((name) => sql`${sql.ref(`${alias}.${name}`)} as ${sql.ref(renamedTo(alias, name))}`));
const renamedTo = (alias: string, name: string) => `${alias}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
const rowOf = <Row>(row: Record<string, unknown>, alias: string, names: readonly string[]): Row =>
  Object.fromEntries(names.map((name) => [name, row[renamedTo(alias, name)]])) as Row;

const counts = statement<Record<string, unknown> & { count: number }, [userId: string, roomIds: readonly string[]]>(
  (userId, roomIds) => sql`
    select unread.count, ${renamed('memberships', membershipColumns)}, ${renamed('rooms', roomColumns)}
    from ${ofUser(userId, roomColumns)} and memberships.room_id = any(${roomIds}::text[])`,
);

/** The unread messages of a user in those of the rooms of which they are a member. */
export async function findUnreadCounts(db: Db, userId: string, roomIds: readonly string[]): Promise<CountedRoom[]> {
  const rows = await counts(db, userId, roomIds);
  return rows.map((row) => {
    const room = rowOf<RoomRow>(row, 'rooms', roomColumns);
    return { roomId: room.id, count: row.count, membership: rowOf<MembershipRow>(row, 'memberships', membershipColumns), room };
  });
}

export interface UnreadTotals {
  /** Rooms with unread messages. */
  readonly rooms: number;
  readonly messages: number;
}

const totals = statement<UnreadTotals, [userId: string]>(
  (userId) => sql`
    select count(*) filter (where unread.count > 0)::int as rooms, coalesce(sum(unread.count), 0)::int as messages
    from ${ofUser(userId)} and ${mayCount}`,
);

/** Over all rooms of a user that they have not muted. */
export async function readUnreadTotals(db: Db, userId: string): Promise<UnreadTotals> {
  const [row] = await totals(db, userId);
  return row as UnreadTotals;
}
