// The read markers of senders follow their messages: who answers has read what came before. Written a moment after the answer,
// so that sends do not wait for it, and that several messages of a sender need one write. What is lost with a node that dies
// leaves the count exact: what others said before the message is unread again.

import type { Clock } from '../clock.ts';
import { noteMemberships } from '../storage/changes.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import { type MarkerMove, moveMarkers } from '../storage/markers.ts';
import type { Db, MessageRow } from '../storage/tables.ts';

/** How long a marker waits for later messages of its sender. */
const delayMs = 500;
/** Limits of one statement, and of what waits while the database is away. */
const maxTogether = 512;
const maxWaiting = 100_000;

type Membership = Pick<MarkerMove, 'userId' | 'roomId'>;

export class SenderMarkers implements AsyncDisposable {
  readonly #db: Db;
  readonly #announce: () => void;
  readonly #clock: Clock;
  /** The newest move of each membership. */
  #waiting = new Map<string, MarkerMove>();
  /** Memberships whose marker stays although their user has sent a message. */
  #unmoved = new Map<string, Membership>();
  #timer: Disposable | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(db: Db, announce: () => void, clock: Clock) {
    this.#db = db;
    this.#announce = announce;
    this.#clock = clock;
  }

  /**
   * Moves the marker of the sender forward to the message, soon. `readVersion` is that of the marker when the message was
   * written: a marker that was moved back since then stays where it is.
   */
  raise({ senderId, roomId, seq, tag }: MessageRow, readVersion: number): void {
    this.#add({ userId: senderId as string, roomId, seq, tag, readVersion, isSet: false });
  }

  /**
   * Notes a message that leaves the marker where it is, soon, so that the devices of the sender read their count again. A device
   * that counts sees one message more, and not that it is the sender's own.
   */
  note({ senderId, roomId }: MessageRow): void {
    const membership = { userId: senderId as string, roomId };
    const key = `${membership.userId} ${roomId}`;
    if (this.#unmoved.size >= maxWaiting && !this.#unmoved.has(key)) return;
    this.#unmoved.set(key, membership);
    this.#timer ??= this.#clock.after(delayMs, () => void this.flush());
  }

  /** Writes what waits. Never throws: what could not be written waits again. */
  flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    this.#timer?.[Symbol.dispose]();
  }

  #add(move: MarkerMove): void {
    const key = `${move.userId} ${move.roomId}`;
    const known = this.#waiting.get(key);
    if (known ? known.seq >= move.seq : this.#waiting.size >= maxWaiting) return;
    this.#waiting.set(key, move);
    this.#timer ??= this.#clock.after(delayMs, () => void this.flush());
  }

  async #writeAll(): Promise<void> {
    await this.#noteAll();
    const moves = [...this.#waiting.values()];
    this.#waiting = new Map();
    while (moves.length > 0) {
      const some = moves.splice(0, maxTogether);
      const held = await this.#write(some);
      for (const move of held ?? [...some, ...moves.splice(0)]) this.#add(move);
    }
  }

  async #noteAll(): Promise<void> {
    const noted = this.#unmoved;
    if (noted.size === 0) return;
    this.#unmoved = new Map();
    try {
      await noteMemberships(this.#db, [...noted.values()]);
      this.#announce();
    } catch {
      this.#unmoved = new Map([...noted, ...this.#unmoved]);
      this.#timer ??= this.#clock.after(delayMs, () => void this.flush());
    }
  }

  /** The moves whose membership another transaction holds. Undefined if nothing was written. */
  async #write(moves: readonly MarkerMove[]): Promise<readonly MarkerMove[] | undefined> {
    try {
      const results = await moveMarkers(this.#db, moves);
      if (results.some((result) => result.outcome === 'done' && result.isMoved)) this.#announce();
      return moves.filter((_, index) => results[index]?.outcome === 'held');
    } catch (error) {
      // Data that the database refuses would be refused again.
      return error instanceof DatabaseFailure && error.isOfData ? [] : undefined;
    }
  }
}
