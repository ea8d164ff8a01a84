// Cursors: opaque, versioned strings for a position in a room's log or a place in a sorted list.

import { randomBytes } from 'node:crypto';
import { GaplessError } from '../errors.ts';

/** A position in a room's log: directly after the entry `seq`. The tag distinguishes that entry from another one at the same seq. */
export interface Position {
  readonly seq: number;
  /** 32 random bits, assigned when the entry was written. After a rollback, another entry at this seq has another tag. */
  readonly tag: number;
}

export const samePosition = (a: Position, b: Position | undefined) => a.seq === b?.seq && a.tag === b.tag;

export const newTag = () => randomBytes(4).readInt32BE();

/** The cursor of a position: its opaque form for clients. */
export function encodeCursor(roomId: string, { seq, tag }: Position): string {
  return encode(['1', roomId, seq, tag]);
}

/** Throws CURSOR_INVALID if the cursor is malformed or of another room. Does not check that the log holds the position. */
export function decodeCursor(roomId: string, cursor: string): Position {
  const [version, room, seq, tag] = decode(cursor);
  if (version !== '1' || room !== roomId || !Number.isSafeInteger(seq) || !Number.isInteger(tag)) throw invalidCursor();
  if ((seq as number) < 0 || Math.abs(tag as number) > 2 ** 31) throw invalidCursor();
  return { seq: seq as number, tag: tag as number };
}

/** The end of the year 9999. PostgreSQL accepts every instant from 1970 up to here. */
const lastInstantMs = 253_402_300_799_999;

/** A place in a sorted list: the sort key and id of a row. */
export interface ListPlace {
  readonly key: string | number;
  readonly id: string;
}

export function encodeListCursor(list: string, { key, id }: ListPlace): string {
  return encode(['1', list, key, id]);
}

export function decodeListCursor(list: string, keyType: 'string' | 'number', cursor: string): ListPlace {
  const [version, of, key, id] = decode(cursor);
  if (version !== '1' || of !== list || typeof key !== keyType || typeof id !== 'string' || id.includes('\0')) throw invalidCursor();
  if (typeof key === 'string' ? key.includes('\0') : !((key as number) >= 0 && (key as number) <= lastInstantMs)) throw invalidCursor();
  return { key: key as string | number, id };
}

/** A position among all changes of all rooms: everything that a snapshot of the database shows. */
export interface Moment {
  /** The start of the database during which the snapshot was taken: see epochs.ts. */
  readonly epoch: string;
  /** `pg_current_snapshot()` as text: `xmin:xmax:xip,xip`. */
  readonly snapshot: string;
  /** When it was taken, in seconds, by the clock of the database. */
  readonly atSeconds: number;
}

/** Maximum number of transactions under way in a snapshot that a client may send. */
const maxUnderWay = 1000;

export const encodeMoment = ({ epoch, snapshot, atSeconds }: Moment): string => encode(['1', `account ${epoch}`, snapshot, atSeconds]);

/** Throws CURSOR_INVALID if the cursor is malformed or not one of an account stream. */
export function decodeMoment(cursor: string): Moment {
  const [version, of, snapshot, atSeconds] = decode(cursor);
  const epoch = typeof of === 'string' ? /^account ([0-9a-z]{1,32})$/.exec(of)?.[1] : undefined;
  if (version !== '1' || epoch === undefined || typeof snapshot !== 'string' || !Number.isSafeInteger(atSeconds)) throw invalidCursor();
  // 18 digits are less than 2^63, which PostgreSQL accepts.
  if (!/^[0-9]{1,18}:[0-9]{1,18}:([0-9]{1,18}(,[0-9]{1,18})*)?$/.test(snapshot) || underWayIn(snapshot).length > maxUnderWay) {
    throw invalidCursor();
  }
  return { epoch, snapshot, atSeconds: atSeconds as number };
}

/** The id that the next transaction got after the snapshot. Every transaction from there on is not visible in it. */
export const endOf = (snapshot: string) => snapshot.split(':')[1] as string;
/** The transactions that were under way, and that are not visible in the snapshot either. */
export const underWayIn = (snapshot: string) => (snapshot.split(':')[2] ?? '').split(',').filter((id) => id !== '');

export const expiredCursor = () =>
  new GaplessError('CURSOR_EXPIRED', 'The position of the cursor is no longer kept: reload the page, then subscribe from its syncCursor.');

const invalidCursor = () => new GaplessError('CURSOR_INVALID', 'The cursor is malformed, or belongs to another room or list.');

const encode = (parts: (string | number)[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');

function decode(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === 4) return parts;
  } catch {}
  throw invalidCursor();
}
