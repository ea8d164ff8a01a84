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
