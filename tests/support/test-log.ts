// The log of one room that a test writes, rolls back, trims and disconnects, in memory or in a database, as feeds read it.

import { setImmediate as turn } from 'node:timers/promises';
import { type LogSource, logPageSize, logSourceOf } from '../../src/feed/log-reader.ts';
import { newTag, type Position } from '../../src/storage/cursor.ts';
import type { LogEvent } from '../../src/storage/entry-types.ts';
import { newId } from '../../src/storage/id.ts';
import { lockRoom } from '../../src/storage/locked-room.ts';
import { trimRoom } from '../../src/storage/retention.ts';
import { floorOf, headOf, type LogEntry } from '../../src/storage/room-log.ts';
import type { Db } from '../../src/storage/tables.ts';
import { fillRoom, getRoom, readAll, readLog, rollBackTo } from './storage.ts';

export interface TestLog {
  readonly roomId: string;
  readonly viewerId: string;
  readonly source: LogSource;
  /** While true, every read fails with ECONNREFUSED. */
  away: boolean;
  /** Writes messages. Resolves with their entries, which are not published. */
  append(count: number): Promise<readonly LogEntry[]>;
  /** Removes the newest `count` entries, as a restore does. */
  rollBack(count: number): Promise<void>;
  /** Removes at most `count` of the oldest entries, and resolves with the HistoryTrimmed entry. */
  trim(count: number): Promise<readonly LogEntry[]>;
  /** The entries of the log, and the position before them. */
  readAll(): Promise<{ floor: Position; entries: readonly LogEntry[] }>;
}

const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await turn();
}

/** A log in memory with the rules of the database. A read takes up to eight turns of the event loop. It returns the state at some moment of that time. */
export class MemoryLog implements TestLog {
  readonly roomId = newId('room');
  readonly viewerId = newId('user');
  readonly source: LogSource;
  away = false;
  #floor: Position = { seq: 0, tag: newTag() };
  #entries: LogEntry[] = [];
  #reads = 0;

  constructor() {
    this.source = {
      readPage: (_, fromSeq) => this.#read(() => this.#page(fromSeq)),
      readHeads: () => this.#read(() => new Map([[this.roomId, this.#head]])),
      findVisible: (views) =>
        this.#read(() => {
          const { seq: headSeq, tag: headTag } = this.#head;
          return views.map(() => ({ kind: 'OPEN', headSeq, headTag, floorSeq: this.#floor.seq }));
        }),
    };
  }

  async append(count: number, event: LogEvent = { type: 'RoomUpdated' }): Promise<readonly LogEntry[]> {
    for (let i = 0; i < count; i += 1) {
      const { seq, tag: previousTag } = this.#head;
      this.#entries.push({ roomId: this.roomId, seq: seq + 1, tag: newTag(), previousTag, at: new Date(), ...event });
    }
    return this.#entries.slice(-count);
  }

  async rollBack(count: number): Promise<void> {
    this.#entries.splice(Math.max(0, this.#entries.length - count));
  }

  async trim(count: number): Promise<readonly LogEntry[]> {
    const removed = this.#entries.splice(0, count);
    this.#floor = removed.at(-1) ?? this.#floor;
    return removed.length > 0 ? this.append(1, { type: 'HistoryTrimmed', throughNumber: 0 }) : [];
  }

  async readAll() {
    return { floor: this.#floor, entries: [...this.#entries] };
  }

  get #head(): Position {
    return this.#entries.at(-1) ?? this.#floor;
  }

  #page(fromSeq: number) {
    const from = this.#entries.findIndex(({ seq }) => seq >= fromSeq);
    const found = from === -1 ? [] : this.#entries.slice(from);
    const start = fromSeq <= this.#floor.seq ? this.#floor : found.shift();
    return { start, entries: found.slice(0, logPageSize), last: found.length <= logPageSize };
  }

  async #read<Result>(read: () => Result): Promise<Result> {
    this.#reads += 1;
    await turns(1 + (this.#reads % 3));
    if (this.away) throw refused();
    const result = read();
    await turns(1 + (this.#reads % 5));
    return result;
  }
}

/** A room's log in a database. */
export class DatabaseLog implements TestLog {
  readonly roomId: string;
  readonly viewerId: string;
  readonly source: LogSource;
  away = false;
  readonly #db: Db;
  /** Time of the newest message. Messages are a second apart, so that a trim can end between two of them. */
  #at = Date.parse('2026-01-01');

  constructor(db: Db, feedDb: Db, room: { roomId: string; userId: string }) {
    this.#db = db;
    this.roomId = room.roomId;
    this.viewerId = room.userId;
    const { readPage, readHeads, findVisible } = logSourceOf(feedDb);
    const whileThere =
      <Args extends unknown[], Result>(read: (...args: Args) => Promise<Result>) =>
      async (...args: Args) => {
        if (this.away) throw refused();
        return read(...args);
      };
    this.source = { readPage: whileThere(readPage), readHeads: whileThere(readHeads), findVisible: whileThere(findVisible) };
  }

  async append(count: number): Promise<readonly LogEntry[]> {
    const head = headOf(await getRoom(this.#db, this.roomId));
    for (let i = 0; i < count; i += 1) {
      this.#at += 1000;
      await fillRoom(this.#db, this.roomId, 1, new Date(this.#at));
    }
    return readLog(this.#db, this.roomId, head, count);
  }

  async rollBack(count: number): Promise<void> {
    const { floor, entries } = await this.readAll();
    await rollBackTo(this.#db, this.roomId, entries.at(-1 - count) ?? floor);
  }

  async trim(count: number): Promise<readonly LogEntry[]> {
    const { entries } = await this.readAll();
    const newest = entries.slice(0, count).at(-1);
    if (!newest) return [];
    return this.#db.transaction().execute(async (trx) => {
      const room = await lockRoom(trx, this.roomId);
      if (!room) throw new Error('The room is gone.');
      await trimRoom(room, new Date(newest.at.getTime() + 1));
      return room.entries;
    });
  }

  async readAll() {
    return { floor: floorOf(await getRoom(this.#db, this.roomId)), entries: await readAll(this.#db, this.roomId) };
  }
}
