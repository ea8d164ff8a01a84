// Reads a room's log, and writes it through a LockedRoom. The transaction that writes an entry holds the lock on the room's
// row when it assigns `seq`, so entries become visible in the order of their seq: no reader sees n + 1 before n.

import { noSuchRoom } from '../errors.ts';
import { expiredCursor, type Position } from './cursor.ts';
import { entryColumns, fromStored, type LogEvent, type StoredEvent, typesThatEndNoRight } from './entry-types.ts';
import { isFound, type NoRow, primary } from './primary.ts';
import type { Db, RoomRow } from './tables.ts';
import { UnknownEntryError } from './unknown-entry.ts';

/** An entry contains the tag of the entry before it, so that a reader can check that it follows the reader's position. */
export type LogEntry = Position & { readonly previousTag: number; readonly roomId: string; readonly at: Date } & LogEvent;

/** Whether `entry` comes directly after `position`, in the same history of the room. */
export const follows = (entry: LogEntry, position: Position) => entry.seq === position.seq + 1 && entry.previousTag === position.tag;

/** The position before the oldest entry that is kept. */
export const floorOf = (row: Pick<RoomRow, 'floorSeq' | 'floorTag'>): Position => ({ seq: row.floorSeq, tag: row.floorTag });
/** The position of the newest entry. */
export const headOf = (row: Pick<RoomRow, 'headSeq' | 'headTag'>): Position => ({ seq: row.headSeq, tag: row.headTag });

/** A page of a room's log, from one snapshot. */
export interface LogPage {
  /** The position before the first entry. Undefined if the log ends before the page begins. */
  readonly start: Position | undefined;
  readonly entries: readonly LogEntry[];
  /** Whether the log ends with this page. */
  readonly last: boolean;
  /** The entry after the last one of `entries`, if its type is unknown to this version. */
  readonly unknown?: UnknownEntryError | undefined;
}

/**
 * Reads the log from the entry `fromSeq` (or from the floor, if that is later): at most `limit` entries and the position
 * before them. Throws NOT_FOUND if the room's rows are gone.
 */
export async function readLogPage(db: Db, roomId: string, fromSeq: number, limit: number): Promise<LogPage> {
  // One statement is one snapshot, so the floor and the entries are consistent.
  const rows = await db
    .selectFrom(primary)
    .leftJoin('rooms', (join) => join.on('rooms.id', '=', roomId))
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('roomLog')
          .select(['seq', 'tag', 'type', 'at', ...entryColumns])
          .whereRef('roomId', '=', 'rooms.id')
          .where('seq', '>=', fromSeq)
          .orderBy('seq')
          .limit(limit + 1)
          .as('entry'),
      (join) => join.onTrue(),
    )
    .where('isPrimary', '=', 1)
    .select(['rooms.floorSeq', 'rooms.floorTag', 'entry.seq', 'entry.tag', 'entry.type', 'entry.at'])
    .select(entryColumns.map((column) => `entry.${column}` as const))
    .orderBy('entry.seq')
    .execute();
  const room = rows[0] as Pick<RoomRow, 'floorSeq' | 'floorTag'> | { readonly floorSeq: null } | undefined;
  if (!room || room.floorSeq === null) throw noSuchRoom();
  const found = rows.flatMap((row) => (row.seq === null ? [] : [row as StoredEntry]));
  const start = fromSeq <= room.floorSeq ? floorOf(room) : found.shift();
  const entries: LogEntry[] = [];
  let previousTag = start?.tag ?? 0;
  for (const row of found.slice(0, limit)) {
    const event = fromStored(row);
    if (!event) return { start, entries, last: false, unknown: new UnknownEntryError({ roomId, seq: row.seq, unknownType: row.type }) };
    entries.push({ roomId, seq: row.seq, tag: row.tag, previousTag, at: row.at, ...event });
    previousTag = row.tag;
  }
  return { start, entries, last: rows.length <= limit };
}

type StoredEntry = Position & { readonly at: Date } & StoredEvent;

/**
 * The entries of a page after `after`, which is not before the page's begin; an empty list only if `after` is the head.
 * Undefined if the page holds no entry after `after`, but the log continues. Throws CURSOR_EXPIRED if the log does not hold
 * `after` (trimmed, beyond the head, or rolled back), and UnknownEntryError if the next entry is of an unknown type.
 */
export function entriesAfter({ start, entries, last, unknown }: LogPage, after: Position): readonly LogEntry[] | undefined {
  if (!start || after.seq < start.seq) throw expiredCursor();
  const index = after.seq - start.seq;
  const held = index === 0 ? start : entries[index - 1];
  if (held ? held.tag !== after.tag : last) throw expiredCursor();
  if (index === entries.length && unknown) throw unknown;
  return index < entries.length || last ? entries.slice(index) : undefined;
}

/** The heads of the rooms that still have a row. */
export async function readHeads(db: Db, roomIds: readonly string[]): Promise<Map<string, Position>> {
  const rows = await db
    .selectFrom(primary)
    .leftJoin('rooms', (join) => join.on('rooms.id', 'in', roomIds))
    .where('isPrimary', '=', 1)
    .select(['rooms.id', 'rooms.headSeq', 'rooms.headTag'])
    .execute();
  return new Map((rows as (Pick<RoomRow, 'id' | 'headSeq' | 'headTag'> | NoRow)[]).filter(isFound).map((row) => [row.id, headOf(row)]));
}

/** Whether an entry after `entry` and up to `throughSeq` may have ended a user's right to the room. */
export async function hasRightEnded(db: Db, { roomId, seq }: LogEntry, throughSeq: number): Promise<boolean> {
  const ended = await db
    .selectFrom('roomLog')
    .select('seq')
    .where('roomId', '=', roomId)
    .where('seq', '>', seq)
    .where('seq', '<=', throughSeq)
    .where('type', 'not in', typesThatEndNoRight)
    .limit(1)
    .executeTakeFirst();
  return ended !== undefined;
}
