// A room whose row is locked by a transaction. The log is written only through this class.

import { sql, type UpdateObject } from 'kysely';
import { newTag, type Position } from './cursor.ts';
import { type LogEvent, toStored } from './entry-types.ts';
import type { LogEntry } from './room-log.ts';
import { currentXid, type Database, now, type RoomRow, roomColumns, type Trx } from './tables.ts';

/** Changes to the room's row, as values or SQL. */
export type RoomChanges = UpdateObject<Database, 'rooms'>;

export class LockedRoom {
  readonly trx: Trx;
  /** The entries that this transaction has written. Published after the commit, never before. */
  readonly entries: LogEntry[] = [];
  #row: RoomRow;

  /** Only `lockRoom` calls this: `trx` holds the lock on `row`. */
  constructor(trx: Trx, row: RoomRow) {
    this.trx = trx;
    this.#row = row;
  }

  get row(): RoomRow {
    return this.#row;
  }

  /** The position of the next entry. A message is written with it, before its entry. */
  nextPosition(): Position {
    return { seq: this.#row.headSeq + 1, tag: newTag() };
  }

  /** Writes an entry at `position`, moves the head there, and applies `changes` to the room's row. Not for a TALK message: see sends.ts. */
  async append(event: LogEvent, changes: RoomChanges = {}, position = this.nextPosition()): Promise<void> {
    const { seq, tag } = position;
    const previousTag = this.#row.headTag;
    // One statement writes the entry, the head and the note of the change, which saves round trips while the room is locked.
    const { at, ...row } = await this.trx
      .with('entry', (db) =>
        db.insertInto('roomLog').values({ roomId: this.#row.id, seq, tag, at: now, talkCount: this.#row.talkCount, ...toStored(event) }),
      )
      .with('note', (db) => db.insertInto('changes').values({ roomId: this.#row.id }))
      .updateTable('rooms')
      .set({ oldestAt: sql<Date>`coalesce(oldest_at, ${now})`, ...changes, headSeq: seq, headTag: tag, changedXid: currentXid })
      .where('rooms.id', '=', this.#row.id)
      .returning(roomColumns)
      .returning(sql<Date>`${now}::timestamptz(3)`.as('at'))
      .executeTakeFirstOrThrow();
    this.#row = row;
    this.entries.push({ seq, tag, previousTag, roomId: row.id, at, ...event });
  }

  /** Changes the room's row without an entry of its own. Only for changes that an entry of this transaction announces. */
  async update(changes: RoomChanges): Promise<void> {
    this.#row = await this.trx
      .updateTable('rooms')
      .set(changes)
      .where('id', '=', this.#row.id)
      .returning(roomColumns)
      .executeTakeFirstOrThrow();
  }
}

/** Waits for the lock on the room's row. Undefined if there is no row. A deleted room keeps its row until retention removes it. */
export async function lockRoom(trx: Trx, roomId: string): Promise<LockedRoom | undefined> {
  const row = await trx.selectFrom('rooms').select(roomColumns).where('id', '=', roomId).forUpdate().executeTakeFirst();
  return row && new LockedRoom(trx, row);
}
