// The rooms that a viewer may read.

import { type SelectQueryBuilder, sql } from 'kysely';
import { decodeListCursor, encodeListCursor, type ListPlace, type Moment, newTag } from './cursor.ts';
import { newId } from './id.ts';
import { type MomentRow, moment, toMoment } from './moment.ts';
import { type Page, type PageArgs, toPage, toWindow } from './page.ts';
import { primary } from './primary.ts';
import { isMember, mayRead } from './rights.ts';
import { statement } from './statement.ts';
import { type Database, type Db, fold, qualified, type RoomKind, type RoomRow, roomColumns, type Trx, table } from './tables.ts';
import { unreadRooms } from './unread.ts';

export interface RoomFilter {
  readonly kind?: RoomKind | null | undefined;
  readonly joined?: boolean | null | undefined;
  readonly nameContains?: string | null | undefined;
  readonly subject?: string | null | undefined;
  /** True: only rooms with unread messages that the viewer has not muted. */
  readonly unread?: boolean | null | undefined;
}

export type RoomOrder = 'RECENTLY_ACTIVE' | 'NEWEST' | 'NAME';

export interface NewRoom {
  readonly kind: RoomKind;
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly subject?: string | null | undefined;
  readonly createdBy: string;
  readonly directKey?: string;
  readonly memberCount: number;
}

/** Undefined if a room with the same `directKey` exists. */
export async function insertRoom(trx: Trx, room: NewRoom): Promise<RoomRow | undefined> {
  const tag = newTag();
  return trx
    .insertInto('rooms')
    .values({
      id: newId('room'),
      kind: room.kind,
      name: room.name,
      nameFolded: fold(room.name),
      description: room.description ?? null,
      subject: room.subject ?? null,
      directKey: room.directKey ?? null,
      createdBy: room.createdBy,
      memberCount: room.memberCount,
      headTag: tag,
      floorTag: tag,
    })
    .onConflict((oc) => oc.column('directKey').where('deletedAt', 'is', null).doNothing())
    .returning(roomColumns)
    .executeTakeFirst();
}

export async function findDirectRoom(db: Db, directKey: string): Promise<RoomRow | undefined> {
  return db.selectFrom('rooms').select(roomColumns).where('directKey', '=', directKey).where('deletedAt', 'is', null).executeTakeFirst();
}

/** The rooms with these ids, and whether the viewer may read each. */
export async function findRooms(db: Db, viewerId: string, ids: readonly string[]): Promise<(RoomRow & { visible: boolean })[]> {
  return db.selectFrom('rooms').select(roomColumns).select(mayRead(viewerId).as('visible')).where('id', 'in', ids).execute();
}

/** Maximum number of members of a room in which they see what others have read. */
const maxMembersWithReceipts = 100;

/** Those of the rooms that are small enough for read receipts. Does not check rights: for callers that have read a membership. */
export async function findRoomsWithReceipts(db: Db, ids: readonly string[]): Promise<{ id: string }[]> {
  return db.selectFrom('rooms').select('id').where('id', 'in', ids).where('memberCount', '<=', maxMembersWithReceipts).execute();
}

/** A request of a viewer to read a room. */
export interface RoomView {
  readonly viewerId: string;
  readonly roomId: string;
}

/** The columns of a room that a feed needs. */
export type RoomHead = Pick<RoomRow, 'kind' | 'headSeq' | 'headTag' | 'floorSeq'>;

const visibleHeads = statement<RoomHead & { place: number }, [viewerIds: readonly string[], roomIds: readonly string[]]>(
  (viewerIds, roomIds) => sql`
    select view.place, rooms.kind, rooms.head_seq, rooms.head_tag, rooms.floor_seq
    from ${primary} left join (
      unnest(${viewerIds}::text[], ${roomIds}::text[]) with ordinality as view (viewer_id, room_id, place)
      join ${table('rooms')} on rooms.id = view.room_id
    ) on ${mayRead(sql.ref('view.viewer_id'))}
    where is_primary = 1`,
);

/** For each view, in order: the room, if that viewer may read it. */
export async function findVisibleHeads(db: Db, views: readonly RoomView[]): Promise<(RoomHead | undefined)[]> {
  const rows = await visibleHeads(
    db,
    views.map(({ viewerId }) => viewerId),
    views.map(({ roomId }) => roomId),
  );
  const found = new Map(rows.map((row) => [row.place, row]));
  return views.map((_, i) => found.get(i + 1));
}

const orders = {
  RECENTLY_ACTIVE: { column: 'lastActiveAt', descending: true, key: (row: RoomRow) => row.lastActiveAt.getTime() },
  NEWEST: { column: 'createdAt', descending: true, key: (row: RoomRow) => row.createdAt.getTime() },
  NAME: { column: 'nameFolded', descending: false, key: (row: RoomRow) => row.nameFolded },
} as const;

export const roomCursor = (orderBy: RoomOrder, row: RoomRow) =>
  encodeListCursor(`rooms by ${orderBy}`, { key: orders[orderBy].key(row), id: row.id });

/**
 * Whether a text has a trigram, by which the index finds the names that contain it: three letters or digits, or fewer at the
 * begin or end of a word (https://www.postgresql.org/docs/current/pgtrgm.html).
 */
const hasTrigram = (text: string) => /[\p{L}\p{N}]{3}|[^\p{L}\p{N}][\p{L}\p{N}]|[\p{L}\p{N}]{2}[^\p{L}\p{N}]/u.test(text);

export interface RoomPage extends Page<RoomRow> {
  /** The moment of the page, from the same snapshot as its rows. */
  readonly moment: Moment;
}

/** How many OPEN rooms are searched for a text without a trigram. */
const maxRoomsSearched = 10_000;

/**
 * A page of the rooms that the viewer may read. Each branch uses an index to find candidates: all OPEN rooms, or the rooms
 * of the viewer that are not OPEN. Both branches check the same right. Unread rooms are all found among the rooms of the viewer.
 *
 * A text in the name is found by the index of the order, if many rooms match, or by the trigram index, if the database has
 * it: see the migration 0003. A text without a trigram is looked for in the first `maxRoomsSearched` OPEN rooms.
 */
export async function listRooms(db: Db, viewerId: string, args: PageArgs, filter: RoomFilter, orderBy: RoomOrder): Promise<RoomPage> {
  const window = toWindow(args);
  const { column, descending } = orders[orderBy];
  const place = (cursor: string) => decodeListCursor(`rooms by ${orderBy}`, orderBy === 'NAME' ? 'string' : 'number', cursor);
  const after = args.after == null ? undefined : place(args.after);
  const before = args.before == null ? undefined : place(args.before);
  const direction = descending === window.fromEnd ? 'asc' : 'desc';

  const beyond = (comparison: '>' | '<', { key, id }: ListPlace) =>
    sql<boolean>`(${sql.ref(column)}, rooms.id) ${sql.raw(comparison)} (${orderBy === 'NAME' ? key : new Date(key)}, ${id})`;
  const narrow = (rooms: Rooms) =>
    rooms
      .where('rooms.deletedAt', 'is', null)
      .where(mayRead(viewerId))
      .$if(filter.kind != null, (qb) => qb.where('rooms.kind', '=', filter.kind as RoomKind))
      .$if(filter.subject != null, (qb) => qb.where('rooms.subject', '=', filter.subject as string))
      .$if(after !== undefined, (qb) => qb.where(beyond(descending ? '<' : '>', after as ListPlace)))
      .$if(before !== undefined, (qb) => qb.where(beyond(descending ? '>' : '<', before as ListPlace)));

  const part = filter.nameContains == null ? '' : fold(filter.nameContains);
  const isIndexed = part === '' || hasTrigram(part);
  const named = db.selectFrom('roomNames').select('roomId').where(contains('room_names.name_folded', part));
  const openRooms = narrow(
    db
      .selectFrom('rooms')
      .select(qualified('rooms', roomColumns))
      .where('rooms.kind', '=', 'OPEN')
      .$if(filter.joined === true, (qb) => qb.where(isMember(viewerId)))
      .$if(filter.joined === false, (qb) => qb.where((eb) => eb.not(isMember(viewerId))))
      .$if(part !== '' && isIndexed, (qb) => qb.where('rooms.id', 'in', named)),
  );
  const byActivity = orderBy === 'RECENTLY_ACTIVE';
  const matchMost = filter.joined !== true && filter.subject == null && (part === '' || !isIndexed);
  const inSteps = byActivity ? withSteps(db, openRooms, matchMost, after, before) : openRooms;
  const inOrder = (rooms: Rooms) =>
    byActivity ? rooms.orderBy(step, direction) : rooms.orderBy(column, direction).orderBy('rooms.id', direction);
  const searched = isIndexed
    ? inSteps
    : from(db, inOrder(inSteps).limit(maxRoomsSearched), byActivity).where(contains('rooms.name_folded', part));
  const first = byActivity ? from(db, inOrder(searched).fetch(window.limit + 1, 'with ties')) : searched;
  const open = first
    .orderBy(column, direction)
    .orderBy('rooms.id', direction)
    .limit(window.limit + 1);
  const own = narrow(
    db
      .selectFrom('rooms')
      .select(qualified('rooms', roomColumns))
      .$if(filter.unread === true, (qb) => qb.whereRef('rooms.id', '=', sql.ref('unread_room.room_id')).limit(1))
      .$if(filter.unread !== true, (qb) => qb.where('kind', '<>', 'OPEN').where('rooms.id', 'in', roomsOf(db, viewerId)))
      .$if(filter.joined === false, (qb) => qb.where(sql<boolean>`false`))
      .$if(part !== '', (qb) => qb.where(isCalled(viewerId, part))),
  );
  const ownFirst = own
    .orderBy(column, direction)
    .orderBy('rooms.id', direction)
    .limit(window.limit + 1);
  const found = filter.unread === true ? sql<RoomRow>`(${unreadAmong(db, viewerId, own)})` : sql<RoomRow>`(${open} union all ${ownFirst})`;
  const rows = await db
    .selectFrom(moment)
    .leftJoin(found.as<'rooms'>('rooms'), (join) => join.onTrue())
    .select(qualified('rooms', roomColumns))
    .select(['moment.epoch', 'moment.snapshot', 'moment.at'])
    .orderBy(`rooms.${column}`, direction)
    .orderBy('rooms.id', direction)
    .limit(window.limit + 1)
    .execute();
  const rooms = rows.filter((row) => row.id !== null).map(({ epoch, snapshot, at, ...row }) => row as RoomRow);
  const page = toPage(rooms, window, { before: after !== undefined, after: before !== undefined });
  return { ...page, moment: toMoment(rows[0] as MomentRow) };
}

/** The unread rooms of a viewer, looked up one by one in `rooms`: for 1,000 of them, the planner would scan the whole table. */
const unreadAmong = (db: Db, viewerId: string, rooms: Rooms) =>
  db
    .selectFrom(unreadRooms(viewerId).as('unread_room'))
    .innerJoinLateral(rooms.as('rooms'), (join) => join.onTrue())
    .select(qualified('rooms', roomColumns));

const roomsOf = (db: Db, viewerId: string) => db.selectFrom('memberships').select('roomId').where('userId', '=', viewerId);

/** Whether the folded name contains the folded text. With `like`, because the trigram index does not serve `strpos`. */
const contains = (name: 'rooms.name_folded' | 'room_names.name_folded' | 'users.name_folded', part: string) =>
  sql<boolean>`${sql.raw(name)} like ${`%${part.replaceAll(/[\\%_]/g, '\\$&')}%`}`;

/** The same for a room that is not OPEN. A DIRECT room has the name of the other member. */
const isCalled = (viewerId: string, part: string) => sql<boolean>`case when kind = 'DIRECT'
  then exists (
    select 1 from ${table('memberships')} join ${table('users')} on users.id = memberships.user_id
    where memberships.room_id = rooms.id and users.id <> ${viewerId} and ${contains('users.name_folded', part)})
  else ${contains('rooms.name_folded', part)} end`;

type Rooms = SelectQueryBuilder<Database, 'rooms', RoomRow>;

/** The rooms of a query, as a table for another. With `step` if the query has it. */
const from = (db: Db, rooms: Rooms, hasStep = false): Rooms =>
  db
    .selectFrom(rooms.as('rooms'))
    .select(qualified('rooms', roomColumns))
    .$if(hasStep, (qb) => qb.select(sql<Date>`${step}`.as('activeAt'))) as unknown as Rooms;

/**
 * An index has the last activity of OPEN rooms in steps of 10 s: see the migration 0007. The first rooms are among those of the
 * step in which the last of them lies, and of the steps before it.
 */
const step = sql.ref<Date>('rooms.active_at');
const stepMs = 10_000;

/**
 * The OPEN rooms between two places, the newest first, with their steps. If most rooms match, they are looked up one by one in
 * the order of the index: as a join, the planner might sort all of them.
 */
function withSteps(db: Db, rooms: Rooms, matchMost: boolean, after: ListPlace | undefined, before: ListPlace | undefined): Rooms {
  const oneByOne = rooms.whereRef('rooms.id', '=', sql.ref('room_activity.room_id')).limit(1);
  const joined = matchMost
    ? db.selectFrom('roomActivity').innerJoinLateral(oneByOne.as('rooms'), (join) => join.onTrue())
    : db.selectFrom('roomActivity').innerJoin(rooms.as('rooms'), 'rooms.id', 'roomActivity.roomId');
  const steps = joined
    .select(qualified('rooms', roomColumns))
    .select('roomActivity.activeAt')
    .$if(after !== undefined, (qb) => qb.where('roomActivity.activeAt', '<=', new Date(Number(after?.key))))
    .$if(before !== undefined, (qb) => qb.where('roomActivity.activeAt', '>', new Date(Number(before?.key) - stepMs)));
  return from(db, steps as unknown as Rooms, true);
}
