// Reads the log for those who watch: one read of a room at a time, and four of the node, whatever the database. One read
// answers all who wait behind any position of its page: a crowd that resumes from all over it costs one.

import type { Position } from '../storage/cursor.ts';
import { entriesBehind, type LogEntry, type LogPage, readHeads, readLogPage } from '../storage/room-log.ts';
import { findVisibleHeads, type RoomHead, type RoomView } from '../storage/rooms.ts';
import type { Db } from '../storage/tables.ts';

/** Entries in one read of the log. */
export const logPageSize = 500;
/** Reads under way at once on this node. As many connections are kept for those who watch. */
const maxReads = 4;

/** All that feeds read. Each fails, UNAVAILABLE or so, where the database does not answer in time. */
export interface LogSource {
  readPage(roomId: string, fromSeq: number): Promise<LogPage>;
  /** The heads of those rooms that are still there. */
  readHeads(roomIds: readonly string[]): Promise<ReadonlyMap<string, Position>>;
  /** For each view, in order: the room, if that viewer may see it. */
  findVisible(views: readonly RoomView[]): Promise<readonly (RoomHead | undefined)[]>;
}

export const logSourceOf = (db: Db): LogSource => ({
  readPage: (roomId, fromSeq) => readLogPage(db, roomId, fromSeq, logPageSize),
  readHeads: (roomIds) => readHeads(db, roomIds),
  findVisible: (views) => findVisibleHeads(db, views),
});

interface Waiting {
  readonly after: Position;
  readonly resolve: (entries: readonly LogEntry[]) => void;
  readonly reject: (error: unknown) => void;
}

export class LogReader {
  readonly #source: LogSource;
  readonly #onRead: () => void;
  /** Those who wait, by room. Rooms and waiters are in the order in which they began to. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #reading = new Set<string>();

  constructor(source: LogSource, onRead: () => void) {
    this.#source = source;
    this.#onRead = onRead;
  }

  /** The entries right behind `after`, as the log has them now or later: at most a page, and none only at the head. */
  read(roomId: string, after: Position): Promise<readonly LogEntry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly LogEntry[]>();
    const waiting = { after, resolve, reject };
    const crowd = this.#waiting.get(roomId);
    if (crowd) crowd.push(waiting);
    else this.#waiting.set(roomId, [waiting]);
    this.#next();
    return promise;
  }

  #next(): void {
    for (const [roomId, crowd] of this.#waiting) {
      if (this.#reading.size >= maxReads) return;
      if (!this.#reading.has(roomId)) void this.#serve(roomId, crowd);
    }
  }

  /**
   * 1. Who asks from here on waits for the next read, also at the same position: what this one answers may be older than
   *    what they have heard of.
   * 2. The page holds the position of whoever waits longest, and begins as far in front of it as somebody waits.
   */
  async #serve(roomId: string, crowd: readonly Waiting[]): Promise<void> {
    this.#reading.add(roomId);
    this.#waiting.delete(roomId); // 1
    const longest = (crowd[0] as Waiting).after.seq;
    const inReach = crowd.map(({ after }) => after.seq).filter((seq) => seq <= longest && seq > longest - logPageSize);
    const fromSeq = Math.min(...inReach); // 2
    let left: readonly Waiting[] = [];
    try {
      this.#onRead();
      const page = await this.#source.readPage(roomId, fromSeq);
      left = crowd.filter((waiting) => waiting.after.seq < fromSeq || !answer(waiting, page));
    } catch (error) {
      for (const { reject } of crowd) reject(error);
    }
    this.#reading.delete(roomId);
    if (left.length > 0) this.#waiting.set(roomId, [...left, ...(this.#waiting.get(roomId) ?? [])]);
    this.#next();
  }
}

/** Whether the page could tell what is behind the position that waits. */
function answer({ after, resolve, reject }: Waiting, page: LogPage): boolean {
  try {
    const entries = entriesBehind(page, after);
    if (entries) resolve(entries);
    return entries !== undefined;
  } catch (error) {
    reject(error);
    return true;
  }
}
