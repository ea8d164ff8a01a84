// What account streams read: the rooms of many users, and what changed in them since a moment, all of one snapshot.

import { sql } from 'kysely';
import { endOf, type Moment, underWayIn } from './cursor.ts';
import { type MomentRow, moment, toMoment } from './moment.ts';
import { primary } from './primary.ts';
import { statement } from './statement.ts';
import { type Db, type DepartureReason, type RoomRow, roomColumns, selection, table } from './tables.ts';

/** How long a cursor of an account stream is valid, and so how long it is known that a membership or a room has ended. */
export const accountCursorMs = 30 * 86_400_000;
/** Maximum number of users in one statement of `readAccounts`. */
export const accountsPerStatement = 50;

export type RemovalReason = DepartureReason | 'DELETED';

export interface AccountRoom {
  readonly roomId: string;
  /** Revision of the room: the seq of its head. */
  readonly revision: number;
  /** Whether the room or the membership changed since `after`, or the room was muted then. False without `after`. */
  readonly isChanged: boolean;
  /** The end of the mute in milliseconds. 0: not muted. */
  readonly mutedUntilMs: number;
}

export interface AccountState {
  /** The rooms that the user is a member of. */
  readonly rooms: readonly AccountRoom[];
  /** The rooms that left the list since `after`. */
  readonly removed: readonly { readonly roomId: string; readonly reason: RemovalReason }[];
}

/** How much the clocks of nodes and database may differ. */
const clockToleranceSeconds = 60;

type Nullable = readonly (string | null)[];

interface Row extends MomentRow {
  readonly place: number;
  readonly rooms: string | null;
  readonly removed: string | null;
  readonly departed: string | null;
}

// The rows of a restored dump may have ids that were not given out here yet.
const isNew = (xid: string) => sql`coalesce(
  (${sql.ref(xid)} >= account.after::xid8 and ${sql.ref(xid)} < pg_snapshot_xmax(pg_current_snapshot()))
    or ${sql.ref(xid)} = any(account.under_way::xid8[]), false)`;

// The rooms of a user are one text. As rows, those of 2,000 users with 1,000 rooms each would occupy the node for seconds.
// A muted room is not told of, so what changed in it may be older than the cursor.
const accounts = statement<Row, [userIds: readonly string[], ends: Nullable, underWay: Nullable, mutedAfter: readonly (number | null)[]]>(
  (userIds, ends, underWay, mutedAfter) => sql`
    select moment.epoch, moment.snapshot, moment.at, account.place::int, own.rooms, own.removed, departed.departed
    from ${moment} cross join
      unnest(${userIds}::text[], ${ends}::text[], ${underWay}::text[], ${mutedAfter}::float8[])
        with ordinality as account (user_id, after, under_way, muted_after, place)
    cross join lateral (
      select string_agg(concat_ws(' ', rooms.id, rooms.head_seq, changed::int,
          coalesce((extract(epoch from muted_until) * 1000)::bigint, 0)), ',') filter (where rooms.deleted_at is null) as rooms,
        string_agg(rooms.id, ',') filter (where rooms.deleted_at is not null and changed) as removed
      from ${table('memberships')} join ${table('rooms')} on rooms.id = memberships.room_id
      cross join lateral (select ${isNew('rooms.changed_xid')} or ${isNew('memberships.changed_xid')}
        or coalesce(muted_until > to_timestamp(account.muted_after), false) as changed) as change
      where memberships.user_id = account.user_id
    ) as own
    cross join lateral (
      select string_agg(departures.room_id || ' ' || departures.reason, ',') as departed from ${table('departures')}
      where departures.user_id = account.user_id and ${isNew('departures.xid')}
    ) as departed`,
);

/** For each user, in order: their rooms, and what changed since `after`. All of the snapshot of `moment`. */
export async function readAccounts(
  db: Db,
  users: readonly { readonly userId: string; readonly after: Moment | undefined }[],
): Promise<{ readonly moment: Moment; readonly accounts: readonly AccountState[] }> {
  const rows = await accounts(
    db,
    users.map(({ userId }) => userId),
    users.map(({ after }) => (after ? endOf(after.snapshot) : null)),
    users.map(({ after }) => (after ? `{${underWayIn(after.snapshot).join(',')}}` : null)),
    users.map(({ after }) => (after ? after.atSeconds - clockToleranceSeconds : null)),
  );
  const [first] = rows as [Row];
  const states: AccountState[] = [];
  for (const { place, rooms, removed, departed } of rows) {
    states[place - 1] = {
      rooms: parts(rooms).map(toRoom),
      removed: [...parts(removed).map(toDeleted), ...parts(departed).map(toDeparture)],
    };
  }
  return { moment: toMoment(first), accounts: states };
}

const parts = (text: string | null) => (text === null ? [] : text.split(','));

function toRoom(text: string): AccountRoom {
  const [roomId, revision, changed, mutedUntilMs] = text.split(' ') as [string, string, string, string];
  return { roomId, revision: Number(revision), isChanged: changed === '1', mutedUntilMs: Number(mutedUntilMs) };
}

const toDeleted = (roomId: string) => ({ roomId, reason: 'DELETED' as const });

function toDeparture(text: string): { roomId: string; reason: DepartureReason } {
  const [roomId, reason] = text.split(' ') as [string, DepartureReason];
  return { roomId, reason };
}

/** A deleted message, and the revision of the room that deleted it. */
export interface DeletedMessage {
  readonly number: number;
  readonly revision: number;
}

export interface MovedRoom {
  readonly row: RoomRow;
  /** The TALK messages that were deleted since the revision that was asked for. */
  readonly deleted: readonly DeletedMessage[];
  /** Whether retention removed messages since then. */
  readonly isTrimmed: boolean;
}

const moved = statement<RoomRow & { deleted: string | null; isTrimmed: boolean }, [ids: readonly string[], revisions: readonly number[]]>(
  (ids, revisions) => sql`
    select ${selection('rooms', roomColumns)}, deletion.deleted,
      exists (select from ${table('roomLog')} where room_log.room_id = rooms.id and room_log.seq > asked.revision
        and room_log.type = 'HistoryTrimmed') as is_trimmed
    from ${primary} left join (
      unnest(${ids}::text[], ${revisions}::bigint[]) as asked (id, revision) join ${table('rooms')} on rooms.id = asked.id
      left join lateral (
        select string_agg(messages.number || ' ' || room_log.seq, ',' order by room_log.seq) as deleted
        from ${table('roomLog')} join ${table('messages')} on messages.id = room_log.message_id
        where room_log.room_id = rooms.id and room_log.seq > asked.revision and room_log.type = 'MessageDeleted' and messages.kind = 'TALK'
      ) as deletion on true
    ) on true
    where is_primary = 1 and rooms.id is not null`,
);

/** The rooms as they are now, without checking anybody's right. A deleted room has its `deletedAt`, until its row is removed. */
export async function readMovedRooms(
  db: Db,
  rooms: readonly { readonly roomId: string; readonly revision: number }[],
): Promise<Map<string, MovedRoom>> {
  const rows = await moved(
    db,
    rooms.map(({ roomId }) => roomId),
    rooms.map(({ revision }) => revision),
  );
  return new Map(rows.map(({ deleted, isTrimmed, ...row }) => [row.id, { row, isTrimmed, deleted: parts(deleted).map(toDeletedMessage) }]));
}

function toDeletedMessage(text: string): DeletedMessage {
  const [number, revision] = text.split(' ') as [string, string];
  return { number: Number(number), revision: Number(revision) };
}

const departures = statement<
  { userId: string; roomId: string; reason: DepartureReason },
  [userIds: readonly string[], roomIds: readonly string[]]
>(
  (userIds, roomIds) => sql`
    select user_id, room_id, reason from unnest(${userIds}::text[], ${roomIds}::text[]) as asked (user_id, room_id)
    join ${table('departures')} using (user_id, room_id)`,
);

/** Why memberships ended: `user room` to reason. */
export async function findDepartures(
  db: Db,
  pairs: readonly { readonly userId: string; readonly roomId: string }[],
): Promise<Map<string, DepartureReason>> {
  const rows = await departures(
    db,
    pairs.map(({ userId }) => userId),
    pairs.map(({ roomId }) => roomId),
  );
  return new Map(rows.map(({ userId, roomId, reason }) => [`${userId} ${roomId}`, reason]));
}

/** Removes departures that are older than any valid cursor. */
export async function removeOldDepartures(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('departures').where('at', '<', before).execute();
}
