// Read markers. A marker is written only if it moves, and nothing but memberships is locked.

import { sql } from 'kysely';
import { durableCommit } from './durability.ts';
import { statement } from './statement.ts';
import { type Db, type MembershipRow, membershipColumns, selection, table } from './tables.ts';

export interface MarkerMove {
  readonly userId: string;
  readonly roomId: string;
  /** The place of the marker: directly after the entry with this seq. */
  readonly seq: number;
  /** The tag of that entry, to find out that it is another one. Undefined: the entry was not named by a cursor. */
  readonly tag?: number;
  /** Nothing is moved if the marker has a higher `readVersion`. */
  readonly readVersion?: number | undefined;
  /** The marker is set, also to a place before its present one, and its `readVersion` grows. Otherwise it only moves forward. */
  readonly isSet: boolean;
}

/** The result of a move. */
export type MoveResult =
  /** The membership after it. */
  | { readonly outcome: 'done'; readonly membership: MembershipRow; readonly isMoved: boolean }
  /** The user is not a member, or there is no such room. */
  | { readonly outcome: 'refused' }
  /** The place is no longer kept, or was rolled back. */
  | { readonly outcome: 'expired' }
  /** Another transaction holds the membership. Nothing was written. */
  | { readonly outcome: 'held' };

type Row = MembershipRow & {
  readonly isMember: boolean;
  readonly isKept: boolean;
  readonly isHeld: boolean;
  readonly isMoved: boolean;
};

type Columns = [
  userIds: string[],
  roomIds: string[],
  seqs: number[],
  tags: (number | null)[],
  readVersions: (number | null)[],
  areSet: boolean[],
];

/** Whether a move changes the marker of `row`: a marker that is read again after its lock was taken may have moved. */
const changes = (row: 'wanted' | 'memberships') => sql`wanted.is_kept and (wanted.is_set
  or (${sql.ref(`${row}.read_seq`)} < wanted.to_seq and coalesce(wanted.known_version >= ${sql.ref(`${row}.read_version`)}, true)))`;

const columns = (alias: string) => selection(alias, membershipColumns);

/** The columns of the membership as the statement leaves it. */
const after = sql.join(
  membershipColumns.map(
    (name) => sql`coalesce(${sql.ref(`moved.${name}`)}, ${sql.ref(`locked.${name}`)}, ${sql.ref(`wanted.${name}`)}) as ${sql.ref(name)}`,
  ),
);

/**
 * Moves markers of different memberships, and notes the memberships whose marker has moved.
 *
 * - Sets the durability of its own transaction, as writeSends does.
 * - Locks only memberships whose marker moves, in ascending order. What they were locked for is checked again for the update, by
 *   the newest row: two nodes may move the same marker at the same time.
 * - The number of a place is that of the newest message up to it, or of the floor if none is kept.
 */
const moveStatement = (skipLocked: boolean) =>
  statement<Row, Columns>(
    (userIds, roomIds, seqs, tags, readVersions, areSet) => sql`
    with durable as materialized (
      select ${sql.raw(durableCommit)}
    ), wanted as materialized (
      select move.*, membership.*, place.*,
        coalesce(membership.id is not null and place.found_tag = coalesce(move.to_tag, place.found_tag), false) as is_kept
      from durable cross join unnest(
        ${userIds}::text[],
        ${roomIds}::text[],
        ${seqs}::bigint[],
        ${tags}::bigint[],
        ${readVersions}::bigint[],
        ${areSet}::boolean[]
      ) with ordinality as move (of_user, in_room, to_seq, to_tag, known_version, is_set, position)
      left join lateral (
        select ${columns('memberships')} from ${table('memberships')}
        where memberships.user_id = move.of_user and memberships.room_id = move.in_room
          and (select rooms.deleted_at is null from ${table('rooms')} where rooms.id = move.in_room limit 1)
        limit 1
      ) as membership on true
      left join lateral (
        select greatest(rooms.floor_number, newest.number) as to_number,
          greatest(rooms.floor_talk_count, coalesce(entry.talk_count, newest.number)) as to_talk,
          case when move.to_seq = rooms.floor_seq then rooms.floor_tag else entry.tag end as found_tag
        from ${table('rooms')} left join lateral (
          select number from ${table('messages')}
          where messages.room_id = rooms.id and messages.seq <= move.to_seq order by messages.seq desc limit 1
        ) as newest on true
        left join lateral (
          select tag, talk_count from ${table('roomLog')} where room_log.room_id = rooms.id and room_log.seq = move.to_seq limit 1
        ) as entry on true
        where rooms.id = move.in_room and move.to_seq between rooms.floor_seq and rooms.head_seq limit 1
      ) as place on true
    ), locked as materialized (
      select ${columns('memberships')} from ${table('memberships')}
      where id = any(array(select id from wanted where ${changes('wanted')}))
      order by id for no key update ${sql.raw(skipLocked ? 'skip locked' : '')}
    ), moved as (
      update ${table('memberships')} set read_seq = wanted.to_seq, read_tag = wanted.found_tag, read_number = wanted.to_number,
        read_talk = wanted.to_talk, read_version = memberships.read_version + wanted.is_set::int,
        seen_number = greatest(memberships.seen_number, wanted.to_number), changed_xid = pg_current_xact_id()
      from locked join wanted on wanted.id = locked.id
      where memberships.id = locked.id and ${changes('memberships')}
      returning ${columns('memberships')}
    ), noted as (
      insert into ${table('changes')} (room_id, user_id) select room_id, user_id from moved
    )
    select ${after}, wanted.id is not null as is_member, wanted.is_kept, moved.id is not null as is_moved,
      ${changes('wanted')} and locked.id is null as is_held
    from wanted left join locked on locked.id = wanted.id left join moved on moved.id = wanted.id
    order by wanted.position`,
  );

const moveUnlocked = moveStatement(true);
const waitAndMove = moveStatement(false);

const runWith = async (run: typeof moveUnlocked, db: Db, moves: readonly MarkerMove[]): Promise<MoveResult[]> => {
  const column = <Value>(read: (move: MarkerMove) => Value) => moves.map((move) => read(move));
  const rows = await run(
    db,
    column(({ userId }) => userId),
    column(({ roomId }) => roomId),
    column(({ seq }) => seq),
    column(({ tag }) => tag ?? null),
    column(({ readVersion }) => readVersion ?? null),
    column(({ isSet }) => isSet),
  );
  return rows.map(toResult);
};

/** Moves at most one marker of each membership. Those of memberships that another transaction holds are `held`. */
export const moveMarkers = (db: Db, moves: readonly MarkerMove[]): Promise<MoveResult[]> => runWith(moveUnlocked, db, moves);

/** Moves one marker. Waits for a transaction that holds the membership. A single lock cannot deadlock. */
export const moveHeldMarker = async (db: Db, move: MarkerMove): Promise<MoveResult> =>
  (await runWith(waitAndMove, db, [move]))[0] as MoveResult;

function toResult({ isMember, isKept, isHeld, isMoved, ...membership }: Row): MoveResult {
  if (!isMember) return { outcome: 'refused' };
  if (!isKept) return { outcome: 'expired' };
  return isHeld ? { outcome: 'held' } : { outcome: 'done', membership, isMoved };
}

/**
 * Moves the markers of all rooms of a user to their heads, and returns how many were moved. Locks memberships by room, as the
 * deletion of the user does.
 */
export async function moveAllMarkers(db: Db, userId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with locked as materialized (
      select memberships.id, room.* from ${table('memberships')} cross join lateral (
        select head_seq, head_tag, last_number, talk_count from ${table('rooms')} where id = memberships.room_id and deleted_at is null limit 1
      ) as room
      where memberships.user_id = ${userId} and memberships.read_seq < room.head_seq
      order by memberships.room_id for no key update of memberships
    ), moved as (
      update ${table('memberships')} set read_seq = locked.head_seq, read_tag = locked.head_tag, read_number = locked.last_number,
        read_talk = locked.talk_count, seen_number = greatest(memberships.seen_number, locked.last_number), changed_xid = pg_current_xact_id()
      from locked
      where memberships.user_id = ${userId} and memberships.id = locked.id and memberships.read_seq < locked.head_seq
      returning memberships.room_id, memberships.user_id
    ), noted as (
      insert into ${table('changes')} (room_id, user_id) select room_id, user_id from moved
    )
    select count(*)::int as count from moved`.execute(db);
  return (rows[0] as { count: number }).count;
}
