// The log of a room. An entry's `seq` is taken while its transaction holds the room's row locked, so entries appear in
// the order of their seq, and nobody sees n + 1 before n.

import { type Selectable, sql, type UpdateObject } from 'kysely';
import { notFound } from '../errors.ts';
import { expiredCursor, newTag, type Position } from './cursor.ts';
import { type Database, type Db, now, type RoomLogTable, type RoomRow, type Trx } from './tables.ts';

/** What happened, and to what. Never a message's body: that is read when the entry is handed over. */
export type LogEvent =
  | { readonly type: 'MessageAdded' | 'MessageEdited' | 'MessageDeleted'; readonly messageId: string }
  | { readonly type: 'MemberJoined' | 'MemberLeft'; readonly userId: string }
  | { readonly type: 'HistoryTrimmed'; readonly throughNumber: number }
  | { readonly type: 'RoomUpdated' | 'RoomDeleted' };

/** An entry names the one before it, so that whoever holds a position knows whether this is what comes next. */
export type LogEntry = Position & { readonly previousTag: number; readonly roomId: string; readonly at: Date } & LogEvent;

/** Whether `entry` is the one right behind `position`, in the same history. */
export const follows = (entry: LogEntry, position: Position) => entry.seq === position.seq + 1 && entry.previousTag === position.tag;

/** Changes to the room itself, values or SQL. */
export type RoomChanges = UpdateObject<Database, 'rooms'>;

/**
 * A room whose row `trx` holds locked until it ends. Only `lockRoom` makes one, and only through it is the log written.
 * `entries` is what this transaction wrote so far: to be published once it is committed, and not before.
 */
export class LockedRoom {
  readonly trx: Trx;
  readonly entries: LogEntry[] = [];
  #row: RoomRow;

  constructor(trx: Trx, row: RoomRow) {
    this.trx = trx;
    this.#row = row;
  }

  get row(): RoomRow {
    return this.#row;
  }

  /** The positions that the next `count` entries will have. A message needs its own before its entry is written. */
  nextPositions(count: number): Position[] {
    return Array.from({ length: count }, (_, index) => ({ seq: this.#row.headSeq + 1 + index, tag: newTag() }));
  }

  /** Writes one entry and moves the head there, with `changes` to the room itself. */
  async append(event: LogEvent, changes: RoomChanges = {}): Promise<void> {
    const [position] = this.nextPositions(1) as [Position];
    await this.appendAll([{ ...position, ...event }], changes);
  }

  /** Writes entries at the positions right behind the head, in this order, and moves the head to the last of them. */
  async appendAll(entries: readonly (Position & LogEvent)[], changes: RoomChanges = {}): Promise<void> {
    const { seq, tag } = entries.at(-1) as Position;
    let previousTag = this.#row.headTag;
    // One statement for the entries and the head that the last of them is: of the same transaction they are anyway.
    const { at, ...row } = await this.trx
      .with('entry', (db) =>
        db.insertInto('roomLog').values(entries.map((entry) => ({ roomId: this.#row.id, at: now, ...toColumns(entry) }))),
      )
      .updateTable('rooms')
      .set({ oldestAt: sql<Date>`coalesce(oldest_at, ${now})`, ...changes, headSeq: seq, headTag: tag })
      .where('rooms.id', '=', this.#row.id)
      .returningAll()
      .returning(sql<Date>`${now}::timestamptz(3)`.as('at'))
      .executeTakeFirstOrThrow();
    this.#row = row;
    for (const entry of entries) {
      this.entries.push({ ...entry, previousTag, roomId: row.id, at });
      previousTag = entry.tag;
    }
  }

  /** Changes the room with no entry of its own, as part of what an entry of this transaction says. */
  async update(changes: RoomChanges): Promise<void> {
    this.#row = await this.trx.updateTable('rooms').set(changes).where('id', '=', this.#row.id).returningAll().executeTakeFirstOrThrow();
  }
}

/** Waits for the room's row and locks it. Undefined where there is no such room; a deleted one is still there for a while. */
export async function lockRoom(trx: Trx, roomId: string): Promise<LockedRoom | undefined> {
  const row = await trx.selectFrom('rooms').selectAll().where('id', '=', roomId).forUpdate().executeTakeFirst();
  return row && new LockedRoom(trx, row);
}

/** Where a room's log begins and ends: its floor, just in front of the oldest entry that is kept, and its head. */
export const floorOf = (row: Pick<RoomRow, 'floorSeq' | 'floorTag'>): Position => ({ seq: row.floorSeq, tag: row.floorTag });
export const headOf = (row: Pick<RoomRow, 'headSeq' | 'headTag'>): Position => ({ seq: row.headSeq, tag: row.headTag });

/** A part of a room's log, as it is at one moment. */
export interface LogPage {
  /** The position in front of the first entry. Undefined where the log ends before the page was to begin. */
  readonly start: Position | undefined;
  readonly entries: readonly LogEntry[];
  /** Whether the log ends with this page. */
  readonly last: boolean;
}

/**
 * The log from the entry `fromSeq`, or from the floor where that lies behind it: `limit` entries and the position in front
 * of them. Throws NOT_FOUND when the room's rows are gone.
 */
export async function readLogPage(db: Db, roomId: string, fromSeq: number, limit: number): Promise<LogPage> {
  // One statement, so the floor and the entries are of one moment.
  const rows = await db
    .selectFrom('rooms')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('roomLog')
          .selectAll()
          .whereRef('roomId', '=', 'rooms.id')
          .where('seq', '>=', fromSeq)
          .orderBy('seq')
          .limit(limit + 1)
          .as('entry'),
      (join) => join.onTrue(),
    )
    .where('rooms.id', '=', roomId)
    .select([
      'rooms.floorSeq',
      'rooms.floorTag',
      'entry.seq',
      'entry.tag',
      'entry.type',
      'entry.at',
      'entry.messageId',
      'entry.userId',
      'entry.throughNumber',
    ])
    .orderBy('entry.seq')
    .execute();
  const room = rows[0];
  if (!room) throw notFound('There is no such room.', 'roomId');
  const found = rows.flatMap((row) => (row.seq === null ? [] : [row as EntryColumns]));
  const start = fromSeq <= room.floorSeq ? floorOf(room) : found.shift();
  let previousTag = start?.tag ?? 0;
  const entries = found.slice(0, limit).map((row) => {
    const entry = toEntry(roomId, previousTag, row);
    previousTag = row.tag;
    return entry;
  });
  return { start, entries, last: rows.length <= limit };
}

/**
 * The entries of a page right behind `after`, which does not lie in front of where the page was to begin; none when
 * `after` is the head. Undefined where the page ends before it can tell. Throws CURSOR_EXPIRED when the log does not hold
 * `after`: trimmed, beyond the head, or of a history that was undone.
 */
export function entriesBehind({ start, entries, last }: LogPage, after: Position): readonly LogEntry[] | undefined {
  if (!start || after.seq < start.seq) throw expiredCursor();
  const offset = after.seq - start.seq;
  const held = offset === 0 ? start : entries[offset - 1];
  if (held ? held.tag !== after.tag : last) throw expiredCursor();
  return offset < entries.length || last ? entries.slice(offset) : undefined;
}

/** The entries right behind `after`, oldest first, at most `limit`. Throws as `readLogPage` and `entriesBehind` do. */
export async function readLog(db: Db, roomId: string, after: Position, limit: number): Promise<readonly LogEntry[]> {
  return entriesBehind(await readLogPage(db, roomId, after.seq, limit), after) as readonly LogEntry[];
}

/** The heads of those rooms that are still there. */
export async function readHeads(db: Db, roomIds: readonly string[]): Promise<Map<string, Position>> {
  const rows = await db.selectFrom('rooms').select(['id', 'headSeq', 'headTag']).where('id', 'in', roomIds).execute();
  return new Map(rows.map((row) => [row.id, headOf(row)]));
}

/** Whether anyone lost the right to the room behind this entry, and no later than `throughSeq`. */
export async function hasAnyoneLeft(db: Db, { roomId, seq }: LogEntry, throughSeq: number): Promise<boolean> {
  const left = await db
    .selectFrom('roomLog')
    .select('seq')
    .where('roomId', '=', roomId)
    .where('seq', '>', seq)
    .where('seq', '<=', throughSeq)
    .where('type', 'in', ['MemberLeft', 'RoomDeleted'])
    .limit(1)
    .executeTakeFirst();
  return left !== undefined;
}

type EntryColumns = Omit<Selectable<RoomLogTable>, 'roomId'>;

function toColumns(event: Position & LogEvent): Omit<EntryColumns, 'at'> {
  return {
    seq: event.seq,
    tag: event.tag,
    type: event.type,
    messageId: 'messageId' in event ? event.messageId : null,
    userId: 'userId' in event ? event.userId : null,
    throughNumber: 'throughNumber' in event ? event.throughNumber : null,
  };
}

function toEntry(roomId: string, previousTag: number, row: EntryColumns): LogEntry {
  return { roomId, seq: row.seq, tag: row.tag, previousTag, at: row.at, ...toEvent(row) };
}

function toEvent(row: EntryColumns): LogEvent {
  switch (row.type) {
    case 'MessageAdded':
    case 'MessageEdited':
    case 'MessageDeleted':
      return { type: row.type, messageId: row.messageId as string };
    case 'MemberJoined':
    case 'MemberLeft':
      return { type: row.type, userId: row.userId as string };
    case 'HistoryTrimmed':
      return { type: row.type, throughNumber: row.throughNumber as number };
    case 'RoomUpdated':
    case 'RoomDeleted':
      return { type: row.type };
  }
}
