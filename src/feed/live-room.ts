// A watched room on this node: its known head, the tail in memory, and the feeds to wake. The head only moves to the entry
// that directly follows it. An entry that does not follow the head means that one was lost; the room then reads the log.

import type { Clock } from '../clock.ts';
import { isFinal } from '../errors.ts';
import { type Position, samePosition } from '../storage/cursor.ts';
import { changedMessageId } from '../storage/entry-types.ts';
import { follows, type LogEntry } from '../storage/room-log.ts';
import type { UnknownEntry } from '../storage/unknown-entry.ts';
import { FanOut } from './fan-out.ts';
import type { EntriesAfter } from './log-reader.ts';

/** Maximum length of the tail, and maximum number of entries kept that arrive during a read. About 200 bytes each. */
const tailLength = 512;

/** The reads of a live room. Both retry while the room is watched, so an error that they throw is not retried again. */
export interface RoomLog {
  readPage(after: Position): Promise<EntriesAfter>;
  /** Undefined if the room is gone. */
  readHead(): Promise<Position | undefined>;
}

/** The state of a live room when a read began. The result of the read is compared with it. */
export interface Known {
  readonly head: Position | undefined;
  readonly epoch: number;
}

/** Counters for operators. */
export interface Findings {
  /** Entries from the bus after the head that do not follow it. */
  gapsFound: number;
  /** Reads, caused by a head check, that found entries which the bus had lost. */
  missedFound: number;
  /** Heads that the log no longer holds: after a restore, after a failover that lost entries, or because the room is gone. */
  rollbacksFound: number;
}

export class LiveRoom {
  readonly roomId: string;
  readonly fanOut: FanOut;
  readonly #log: RoomLog;
  readonly #findings: Findings;
  readonly #wakes = new Set<() => void>();
  #head: Position | undefined;
  /** The entries after `#tailStart`, up to the head. */
  #tail: LogEntry[] = [];
  #tailStart: Position | undefined;
  /** Entries that arrived during a read, and may be newer than what the read returns. */
  #early: LogEntry[] = [];
  /** The newest seq that the bus or a stored head announced since the read began. */
  #announcedSeq = 0;
  #catchingUp = false;
  #epoch = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(roomId: string, log: RoomLog, findings: Findings, clock: Clock) {
    this.fanOut = new FanOut(this, clock);
    this.roomId = roomId;
    this.#log = log;
    this.#findings = findings;
  }

  /** The newest position that this node knows. Undefined until the first one is known. */
  get head(): Position | undefined {
    return this.#head;
  }

  /** Changes when a rollback is detected. Entries that were read in an earlier epoch may be rolled back. */
  get epoch(): number {
    return this.#epoch;
  }

  get known(): Known {
    return { head: this.#head, epoch: this.#epoch };
  }

  /** Set if this node cannot read the log. The feeds of the room end with this error. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Calls `wake` whenever there may be an entry to deliver, until the returned function is called. */
  onChange(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** The entry directly after `position`, if the tail has it and has the same entry at `position`. */
  entryAfter({ seq, tag }: Position): LogEntry | undefined {
    return this.#positionAt(seq)?.tag === tag ? this.#tail[seq - (this.#tailStart as Position).seq] : undefined;
  }

  /** Prepends entries that end where the tail begins, if the tail has capacity. Subscribers that resume together lag by a similar amount. */
  remember(after: Position, entries: readonly LogEntry[]): void {
    const start = this.#tailStart;
    if (!start || after.seq >= start.seq) return;
    const before = entries.slice(0, start.seq - after.seq);
    const last = before.at(-1);
    if (!last || !samePosition(last, start) || before.length + this.#tail.length > 2 * tailLength) return;
    this.#tail = [...before, ...this.#tail];
    this.#tailStart = after;
  }

  /** Receives an entry from the bus. */
  receive(entry: LogEntry | UnknownEntry): void {
    const head = this.#head;
    if ('unknownType' in entry) {
      if (entry.seq > (head?.seq ?? 0)) this.#lookFor(entry.seq, 'bus');
    } else if (head && follows(entry, head)) {
      this.#apply([entry]);
    } else if (!this.#knows(entry)) {
      if (this.#early.length < tailLength) this.#early.push(entry);
      if (head && entry.seq > head.seq && !this.#catchingUp) this.#findings.gapsFound += 1;
      this.#lookFor(entry.seq, 'bus');
    }
  }

  /**
   * Applies the stored head (undefined if the room is gone). It was read while this room was subscribed to the bus, in a
   * read that began when the room knew `then`. A rollback is detected once: a head that was read before the detection and
   * is applied after it is older than the new head.
   */
  applyHead(then: Known, stored: Position | undefined): void {
    if (!this.#head) {
      if (stored) this.#begin(stored);
    } else if (then.epoch === this.#epoch && isRolledBack(then.head, stored)) this.#rollBack(stored);
    else if (!stored || stored.seq > this.#head.seq) this.#lookFor(stored?.seq ?? 0, 'head');
  }

  #lookFor(seq: number, source: 'bus' | 'head'): void {
    this.#announcedSeq = Math.max(this.#announcedSeq, seq);
    if (this.#head && !this.#catchingUp && !this.#failure) void this.#catchUp(this.#head, source);
  }

  /**
   * Reads the log from the head to its end, one read at a time.
   *
   * 1. Entries that arrive during the read and do not follow the head are kept, because the read may return an older state.
   * 2. The entries of the page are applied, then the kept entries that follow them. Otherwise a busy room would read its log
   *    without end.
   * 3. If the log does not hold the head, it was rolled back or the room is gone: the room restarts at the stored head. Any
   *    other error was retried already: either this node cannot continue, or the room is no longer watched.
   * 4. If entries were announced during the read and are still unknown, the log is read again. Entries that were announced
   *    before the read and are not in the log do not exist. If `applyHead` detected a rollback during the read, the page
   *    belongs to the old epoch, and the new head may be before the announced entries.
   */
  async #catchUp(head: Position, source: 'bus' | 'head'): Promise<void> {
    const epoch = this.#epoch;
    this.#catchingUp = true;
    this.#early = []; // 1
    this.#announcedSeq = 0;
    let again = false;
    try {
      const { entries, last } = await this.#log.readPage(head);
      again = !last;
      if (this.#apply(entries) && source === 'head') this.#findings.missedFound += 1; // 2
      this.#applyEarly();
    } catch (error) {
      if (!isFinal(error)) return this.fail(error); // 3
      const stored = await this.#log.readHead().catch((failure: unknown) => this.fail(failure));
      if (this.#failure) return;
      if (this.#epoch === epoch) return this.#restart(stored as Position | undefined);
    }
    this.#catchingUp = false;
    again ||= this.#epoch !== epoch || this.#isUnexplained();
    if (this.#head && again) void this.#catchUp(this.#head, source); // 4
  }

  #restart(stored: Position | undefined): void {
    this.#catchingUp = false;
    this.#rollBack(stored);
  }

  #rollBack(stored: Position | undefined): void {
    this.#epoch += 1;
    this.#findings.rollbacksFound += 1;
    this.#begin(stored);
  }

  /** Ends the feeds of the room. The head stays unchanged. The epoch changes, so that groups end. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#epoch += 1;
    this.#wake();
  }

  /** Restarts at a stored head, with an empty tail. */
  #begin(head: Position | undefined): void {
    this.#head = head;
    this.#tailStart = head;
    this.#tail = [];
    this.fanOut.forgetAll();
    this.#applyEarly();
    this.#wake();
    if (this.#isUnexplained()) this.#lookFor(this.#announcedSeq, 'bus');
  }

  /** Applies the entries that follow the head. Returns whether there was one. */
  #apply(entries: readonly LogEntry[]): boolean {
    const before = this.#head;
    for (const entry of entries) {
      if (!this.#head || !follows(entry, this.#head)) continue;
      this.#head = { seq: entry.seq, tag: entry.tag };
      this.#tail.push(entry);
      const changed = changedMessageId(entry);
      if (changed !== undefined) this.fanOut.forget(changed);
    }
    if (this.#head === before) return false;
    // The tail is cut to half its size, so that the array is not shifted for every entry.
    if (this.#tail.length >= 2 * tailLength) {
      this.#tailStart = this.#tail.at(-tailLength - 1);
      this.#tail = this.#tail.slice(-tailLength);
    }
    this.#wake();
    return true;
  }

  #applyEarly(): void {
    this.#apply(this.#early.toSorted((a, b) => a.seq - b.seq));
  }

  /** Whether an unknown entry was announced or has arrived. */
  #isUnexplained(): boolean {
    return this.#announcedSeq > (this.#head?.seq ?? 0) || !this.#early.every((entry) => this.#knows(entry));
  }

  /** Whether this entry, with this tag, is in the tail. One before the tail is not known: it is late, or of a new log after a rollback. */
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

/** Whether a log whose head was `head` has been rolled back, given the head that is stored now. */
const isRolledBack = (head: Position | undefined, stored: Position | undefined): boolean =>
  head !== undefined && stored !== undefined && (stored.seq < head.seq || (stored.seq === head.seq && stored.tag !== head.tag));
