// A watched room on this node: the head it has seen, the last few entries in memory, and the feeds to wake.
// Its head only ever moves by one: an entry that is further ahead means that something was lost, and the log is read.

import { expiredCursor, type Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { FanOut } from './fan-out.ts';

/** Entries kept in memory for feeds that are a little behind. About 200 bytes each. */
const tailLength = 256;
/** Entries in one read of the log. */
export const logPageSize = 500;

/** Reads the `logPageSize` entries right behind a position. Does not fail for want of a database: it tries again. */
export type ReadPage = (roomId: string, after: Position) => Promise<readonly LogEntry[]>;

export class LiveRoom {
  readonly roomId: string;
  readonly fanOut = new FanOut();
  readonly #readPage: ReadPage;
  readonly #wakes = new Set<() => void>();
  #head: Position | undefined;
  /** The entries behind `#tailStart`, up to the head. */
  #tail: LogEntry[] = [];
  #tailStart: Position | undefined;
  #heardEarly = false;
  #catchingUp = false;
  /** Something heard does not go with what this room knows: until the log has said which is true, nothing heard is taken. */
  #doubtful = false;
  #failure: unknown;

  constructor(roomId: string, readPage: ReadPage) {
    this.roomId = roomId;
    this.#readPage = readPage;
  }

  /** The newest position that this node knows of. Undefined until it learns of one. */
  get head(): Position | undefined {
    return this.#head;
  }

  /** Why no feed can go on: the log has lost what was handed over from it, or is gone. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Calls `wake` whenever there may be more to hand over, until the returned function is called. */
  onChange(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** The entry right behind `position`, where the tail still has it, and has the same entry at `position`. */
  entryAfter({ seq, tag }: Position): LogEntry | undefined {
    return this.#positionAt(seq)?.tag === tag ? this.#tail[seq - (this.#tailStart as Position).seq] : undefined;
  }

  /** Hears an entry from the bus. */
  hear(entry: LogEntry): void {
    // What is heard while the head is being read may be newer than what that read will say.
    if (this.#head === undefined || this.#catchingUp) this.#heardEarly = true;
    if (this.#head === undefined || this.#failure !== undefined) return;
    if (entry.seq <= this.#head.seq) {
      if ((this.#positionAt(entry.seq)?.tag ?? entry.tag) !== entry.tag) this.#doubt();
    } else if (this.#doubtful) return;
    else if (entry.seq === this.#head.seq + 1) this.#take([entry]);
    else this.catchUp();
  }

  /** Learns of a head that was read from the database after this room began to listen, when its own was `then`. */
  learn(then: Position | undefined, stored: Position): void {
    if (this.#head === undefined) {
      this.#head = stored;
      this.#tailStart = stored;
      if (this.#heardEarly) this.catchUp();
    } else if (then && (stored.seq < then.seq || (stored.seq === then.seq && stored.tag !== then.tag))) this.fail(expiredCursor());
    else if (stored.seq > this.#head.seq) this.catchUp();
  }

  /** Checks the head against the stored one (undefined: the room is gone), read when this room's own was `then`. */
  check(then: Position, stored: Position | undefined): void {
    const moved = this.#head !== then;
    // Behind, undone or gone: reading on from our own head tells which.
    if (moved ? (stored?.seq ?? 0) > (this.#head?.seq ?? 0) : stored?.seq !== then.seq || stored.tag !== then.tag) this.catchUp();
  }

  /** Reads the log from the head to its end, one read at a time, however many ask. */
  catchUp(): void {
    if (this.#catchingUp || this.#head === undefined || this.#failure !== undefined) return;
    this.#catchingUp = true;
    void this.#catchUpFrom(this.#head);
  }

  async #catchUpFrom(head: Position): Promise<void> {
    this.#heardEarly = false;
    const wasDoubtful = this.#doubtful;
    let more = false;
    try {
      const entries = await this.#readPage(this.roomId, head);
      more = entries.length === logPageSize;
      if (wasDoubtful) this.#doubtful = false;
      this.#take(entries);
    } catch (error) {
      this.fail(error);
    }
    this.#catchingUp = false;
    if (more || this.#heardEarly) this.catchUp();
  }

  // The log is asked whether it still holds the head.
  #doubt(): void {
    this.#doubtful = true;
    this.catchUp();
  }

  #positionAt(seq: number): Position | undefined {
    const start = this.#tailStart;
    return start?.seq === seq ? start : start && this.#tail[seq - start.seq - 1];
  }

  /** Ends every feed of the room with `error`. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#wake();
  }

  #take(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.seq !== (this.#head?.seq ?? 0) + 1) continue;
      this.#head = { seq: entry.seq, tag: entry.tag };
      this.#tail.push(entry);
      if (entry.type === 'MessageEdited' || entry.type === 'MessageDeleted') this.fanOut.forget(entry.messageId);
    }
    // Cut by the half, so that not every entry pays for a shift of the array.
    if (this.#tail.length >= 2 * tailLength) {
      this.#tailStart = this.#tail.at(-tailLength - 1);
      this.#tail = this.#tail.slice(-tailLength);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
