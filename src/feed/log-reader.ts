// Reads the log for all feeds of the node: one read per room at a time, four in total. One read answers every feed whose
// position is in its page, so subscribers that resume together cost one read.

import type { Position } from '../storage/cursor.ts';
import { entriesAfter, type LogEntry, type LogPage, readHeads, readLogPage } from '../storage/room-log.ts';
import { findVisibleHeads, type RoomHead, type RoomView } from '../storage/rooms.ts';
import type { Db } from '../storage/tables.ts';

/** Maximum number of entries in one read of the log. */
export const logPageSize = 500;
/** Maximum number of concurrent reads on this node. Equals the number of database connections for feeds. */
const maxReads = 4;

/** The reads of feeds from the database. Each read fails if the database does not answer in time. */
export interface LogSource {
  readPage(roomId: string, fromSeq: number): Promise<LogPage>;
  /** The heads of the rooms that still have a row. */
  readHeads(roomIds: readonly string[]): Promise<ReadonlyMap<string, Position>>;
  /** For each view, in order: the room, if that viewer may read it. */
  findVisible(views: readonly RoomView[]): Promise<readonly (RoomHead | undefined)[]>;
}

export const logSourceOf = (db: Db): LogSource => ({
  readPage: (roomId, fromSeq) => readLogPage(db, roomId, fromSeq, logPageSize),
  readHeads: (roomIds) => readHeads(db, roomIds),
  findVisible: (views) => findVisibleHeads(db, views),
});

/** The entries directly after a position, at most one page. */
export interface EntriesAfter {
  readonly entries: readonly LogEntry[];
  /** Whether the log ended with them. A page that several feeds share may end before a full page after the position. */
  readonly last: boolean;
}

interface Waiting {
  readonly after: Position;
  readonly resolve: (read: EntriesAfter) => void;
  readonly reject: (error: unknown) => void;
}

export class LogReader {
  readonly #source: LogSource;
  readonly #onRead: () => void;
  /** By room, in the order in which they began to wait. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #reading = new Set<string>();

  constructor(source: LogSource, onRead: () => void) {
    this.#source = source;
    this.#onRead = onRead;
  }

  /** The entries directly after `after`. Empty only if `after` is the head. The read starts after this call. */
  read(roomId: string, after: Position): Promise<EntriesAfter> {
    const { promise, resolve, reject } = Promise.withResolvers<EntriesAfter>();
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
   * 1. A feed that starts to wait from now on is served by the next read, even at the same position. This read may return an
   *    older state than the feed knows.
   * 2. The page contains the position of the feed that has waited longest. It begins at the earliest requested position that
   *    fits into the same page.
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

/** Settles the waiting feed if the page contains its position. Returns whether it did. */
function answer({ after, resolve, reject }: Waiting, page: LogPage): boolean {
  try {
    const entries = entriesAfter(page, after);
    if (entries) resolve({ entries, last: page.last });
    return entries !== undefined;
  } catch (error) {
    reject(error);
    return true;
  }
}
