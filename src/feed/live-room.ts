// A watched room on this node: the head it has seen, the last few entries in memory, and the feeds to wake.
// Its head only ever moves to the entry that follows it; what does not follow means that something was lost, and the log
// is read.

import { type Position, samePosition } from '../storage/cursor.ts';
import { follows, type LogEntry } from '../storage/room-log.ts';
import { isUnavailable } from '../storage/unavailable.ts';
import { FanOut } from './fan-out.ts';
import { logPageSize } from './log-reader.ts';

/** Entries kept in memory for feeds that are a little behind, and of those heard during a read. About 200 bytes each. */
const tailLength = 512;

/** What a live room reads of its log. Neither fails for want of a database: they try again while the room is watched. */
export interface RoomLog {
  /** The entries right behind a position. */
  readPage(after: Position): Promise<readonly LogEntry[]>;
  /** Undefined where the room is gone. */
  readHead(): Promise<Position | undefined>;
}

/** What a live room knows at a moment, for what is read after it to be compared with. */
export interface Known {
  readonly head: Position | undefined;
  readonly history: number;
}

/** What was found wrong with what this node knew; each only ever grows. */
export interface Findings {
  /** Entries that were heard and neither follow the head nor are known to lie before it. */
  gapsFound: number;
  /** Reads that found what nothing was heard of: the stored head had told of it. */
  missedFound: number;
  /** Heads that the log does not hold any more: after a restore, a failover that lost entries, or a room that is gone. */
  undoneFound: number;
}

export class LiveRoom {
  readonly roomId: string;
  readonly fanOut: FanOut = new FanOut(this);
  readonly #log: RoomLog;
  readonly #findings: Findings;
  readonly #wakes = new Set<() => void>();
  #head: Position | undefined;
  /** The entries behind `#tailStart`, up to the head. */
  #tail: LogEntry[] = [];
  #tailStart: Position | undefined;
  /** What was heard while the head or the log was being read: it may be newer than what that read will say. */
  #early: LogEntry[] = [];
  /** The newest seq that was heard or told of meanwhile. */
  #toldSeq = 0;
  #catchingUp = false;
  #history = 0;

  constructor(roomId: string, log: RoomLog, findings: Findings) {
    this.roomId = roomId;
    this.#log = log;
    this.#findings = findings;
  }

  /** The newest position that this node knows of. Undefined until it learns of one. */
  get head(): Position | undefined {
    return this.#head;
  }

  /** Another number once the log was found to have been undone: what was read of it before may never have been. */
  get history(): number {
    return this.#history;
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

  /** Keeps what was read right in front of the tail, while there is room: a crowd that comes back is behind by about as much. */
  remember(after: Position, entries: readonly LogEntry[]): void {
    const start = this.#tailStart;
    if (!start || after.seq >= start.seq) return;
    const inFront = entries.slice(0, start.seq - after.seq);
    const last = inFront.at(-1);
    if (!last || !samePosition(last, start) || inFront.length + this.#tail.length > 2 * tailLength) return;
    this.#tail = [...inFront, ...this.#tail];
    this.#tailStart = after;
  }

  /** Hears an entry from the bus. */
  hear(entry: LogEntry): void {
    const head = this.#head;
    if (head && follows(entry, head)) this.#take([entry]);
    else if (!this.#knows(entry)) {
      if (this.#early.length < tailLength) this.#early.push(entry);
      if (head && !this.#catchingUp) this.#findings.gapsFound += 1;
      this.#lookFor(entry.seq, 'heard');
    }
  }

  get known(): Known {
    return { head: this.#head, history: this.#history };
  }

  /**
   * Learns of the head that is stored (undefined: the room is gone), read while this room listened and knew `then`. That
   * the log was undone is found once: what was read before that, and is learned of after it, is older than the new head.
   */
  learn(then: Known, stored: Position | undefined): void {
    if (!this.#head) {
      if (stored) this.#begin(stored);
    } else if (then.history === this.#history && isUndone(then.head, stored)) this.#undo(stored);
    else if (!stored || stored.seq > this.#head.seq) this.#lookFor(stored?.seq ?? 0, 'stored');
  }

  #lookFor(seq: number, from: 'heard' | 'stored'): void {
    this.#toldSeq = Math.max(this.#toldSeq, seq);
    if (this.#head && !this.#catchingUp) void this.#catchUp(this.#head, from);
  }

  /**
   * Reads the log from the head to its end, one read at a time.
   *
   * 1. From here on, what is heard and does not follow is kept: the read may be of a moment before it was written.
   * 2. What was read is taken, then what was heard meanwhile and follows that: a busy room would be read for ever else.
   * 3. What was told of during the read and is not known by now is looked for again. What was told of before it, and is
   *    not in the log, is not in the room. Where the log was undone meanwhile, what was read is of the one before, and
   *    the head that took its place may be older than what was told of.
   */
  async #catchUp(head: Position, from: 'heard' | 'stored'): Promise<void> {
    const history = this.#history;
    this.#catchingUp = true;
    this.#early = []; // 1
    this.#toldSeq = 0;
    let more = false;
    try {
      const entries = await this.#log.readPage(head);
      more = entries.length === logPageSize;
      if (this.#take(entries) && from === 'stored') this.#findings.missedFound += 1; // 2
      this.#takeEarly();
    } catch (error) {
      // The database is away and nobody watches any more; or the log does not hold the head.
      if (!isUnavailable(error)) await this.#beginAnew(history);
    }
    this.#catchingUp = false;
    if (this.#head && (more || this.#history !== history || this.#leftToExplain())) void this.#catchUp(this.#head, from); // 3
  }

  /** Begins where the log ends now, unless that was done meanwhile. What they have of the old one, feeds are told as they read on. */
  async #beginAnew(history: number): Promise<void> {
    const stored = await this.#log.readHead().catch(() => undefined);
    if (this.#history === history) this.#undo(stored);
  }

  #undo(stored: Position | undefined): void {
    this.#history += 1;
    this.#findings.undoneFound += 1;
    this.#begin(stored);
  }

  /** Begins at a stored head, with nothing remembered. */
  #begin(head: Position | undefined): void {
    this.#head = head;
    this.#tailStart = head;
    this.#tail = [];
    this.#takeEarly();
    this.#wake();
    if (this.#leftToExplain()) this.#lookFor(this.#toldSeq, 'heard');
  }

  /** Takes what follows the head, and tells whether anything did. */
  #take(entries: readonly LogEntry[]): boolean {
    const before = this.#head;
    for (const entry of entries) {
      if (!this.#head || !follows(entry, this.#head)) continue;
      this.#head = { seq: entry.seq, tag: entry.tag };
      this.#tail.push(entry);
      if (entry.type === 'MessageEdited' || entry.type === 'MessageDeleted') this.fanOut.forget(entry.messageId);
    }
    if (this.#head === before) return false;
    // Cut by the half, so that not every entry pays for a shift of the array.
    if (this.#tail.length >= 2 * tailLength) {
      this.#tailStart = this.#tail.at(-tailLength - 1);
      this.#tail = this.#tail.slice(-tailLength);
    }
    this.#wake();
    return true;
  }

  #takeEarly(): void {
    this.#take(this.#early.toSorted((a, b) => a.seq - b.seq));
  }

  #leftToExplain(): boolean {
    return this.#toldSeq > (this.#head?.seq ?? 0) || !this.#early.every((entry) => this.#knows(entry));
  }

  /** Whether this very entry lies at or before the head. Of what lies in front of the tail, nothing is known. */
  #knows({ seq, tag }: LogEntry): boolean {
    return this.#positionAt(seq)?.tag === tag;
  }

  #positionAt(seq: number): Position | undefined {
    const start = this.#tailStart;
    return start?.seq === seq ? start : start && this.#tail[seq - start.seq - 1];
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
  }
}

/** Whether a log that had this head has another by now, and not one behind it. */
const isUndone = (head: Position | undefined, stored: Position | undefined): boolean =>
  head !== undefined && stored !== undefined && (stored.seq < head.seq || (stored.seq === head.seq && stored.tag !== head.tag));
