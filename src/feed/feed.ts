// What one subscriber is handed: the entries of a room behind a position, each exactly once and in order, or a typed
// error. It pulls, alone or at the head with others: nothing is queued for a subscriber, so a slow one costs a position in
// the log and nothing else.

import { type Position, samePosition } from '../storage/cursor.ts';
import { follows, type LogEntry } from '../storage/room-log.ts';
import type { RoomHead } from '../storage/rooms.ts';
import type { CaughtUp, Delivery, Sink, Watch } from './delivery.ts';
import type { FanOut } from './fan-out.ts';
import type { Execute, Member, Operation } from './group.ts';
import type { LiveRoom } from './live-room.ts';
import type { LiveRooms } from './live-rooms.ts';

const nothing = () => {};

interface Start {
  readonly watch: Watch;
  /** The room as its viewer saw it last, when they had the right to: what took it up to this head, they have had back since. */
  readonly seen: RoomHead;
  /** The live room's, before `page` was read. */
  readonly history: number;
  readonly position: Position;
  readonly page: readonly LogEntry[];
}

export class Feed implements AsyncGenerator<Delivery, undefined> {
  readonly #liveRooms: LiveRooms;
  readonly #room: LiveRoom;
  readonly #leave: () => void;
  readonly #watch: Watch;
  #seen: RoomHead;
  #history: number;
  #position: Position;
  #page: readonly LogEntry[];
  /** How much of the page was handed over. */
  #taken = 0;
  #caughtUp = false;
  #ended = false;
  #closed = false;
  #wake: () => void = nothing;
  /** The call of next() that waits, if any. */
  #pending: PromiseWithResolvers<IteratorResult<Delivery, undefined>> | undefined;
  /** Has it go on alone, while it is at the head with others. */
  #leaveGroup: () => void = nothing;

  constructor(liveRooms: LiveRooms, room: LiveRoom, leave: () => void, start: Start) {
    this.#liveRooms = liveRooms;
    this.#room = room;
    this.#leave = leave;
    this.#watch = start.watch;
    this.#seen = start.seen;
    this.#history = start.history;
    this.#position = start.position;
    this.#page = start.page;
  }

  /** Where the subscriber is: behind the entry that was handed over last. */
  get position(): Position {
    return this.#position;
  }

  get roomId(): string {
    return this.#room.roomId;
  }

  /** What feeds of the room that are at the same entry share. */
  get fanOut(): FanOut {
    return this.#room.fanOut;
  }

  /** Does `work` for the subscriber, again and again while the database is away, until they have gone. */
  retry<T>(work: () => Promise<T>): Promise<T> {
    return this.#liveRooms.retry(work, () => !this.#closed);
  }

  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const pending = Promise.withResolvers<IteratorResult<Delivery, undefined>>();
    this.#pending = pending;
    this.#pull().then(
      (value) => pending.resolve(value ? { done: false, value } : { done: true, value }),
      (error) => {
        this.#end();
        pending.reject(error);
      },
    );
    return pending.promise;
  }

  /**
   * Has `sink` take what comes, together with the others at the head who ask for the same: `key` is theirs alone. Resolves
   * once that is over, for the feed to be read by next() again: from behind what the sink took last, and with nothing between
   * left out. Undefined where the feed is not at the head, or has yet to hand something over there.
   */
  follow<Result>(key: string, execute: Execute<Result>, sink: Sink<Result>): Promise<void> | undefined {
    const { wants, viewerId } = this.#watch;
    if (this.#ended || !this.#atHead || (!this.#caughtUp && wants('CaughtUp'))) return undefined;
    this.#caughtUp = true;
    const { promise: alone, resolve } = Promise.withResolvers<void>();
    const member: Member<Result> = {
      take: (entry, result) => {
        if (entry.seq <= this.#position.seq) return true;
        // Their own departure may end the feed, which next() sees to.
        const isOwnEnd = entry.type === 'MemberLeft' && entry.userId === viewerId;
        if (isOwnEnd || !follows(entry, this.#position) || (result !== undefined && !sink.ready)) return false;
        this.#position = entry;
        if (result !== undefined) sink.write(result);
        return true;
      },
      dismiss: resolve,
    };
    const liveRooms = this.#liveRooms;
    const operation: Operation<Result> = { wants, execute: (entries, wanted) => liveRooms.retry(() => execute(entries), wanted) };
    const group = this.fanOut.join(key, operation, this.#position, member);
    this.#leaveGroup = () => group.remove(member);
    return alone;
  }

  /** Ends the feed and settles at once, even while next() waits for an entry or for the database. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#closed = true;
    this.#end();
    this.#pending?.resolve({ done: true, value: undefined });
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /**
   * 1. Where the log was undone, what was read before is dropped, and the viewer's right is looked at again. Whoever is
   *    at a position that is still there goes on; the others are told by their next read.
   * 2. What was read from the log goes first, then what the live room remembers: always the entry right behind the
   *    position, so nothing is passed over whichever of the two it comes from.
   * 3. The feed listens before the head is looked at: an entry that arrives between the look and the wait would wake
   *    nobody.
   * 4. Elsewhere than at the head, the log is read. The live room may itself be behind what was seen of the log.
   */
  async #pull(): Promise<Delivery | undefined> {
    while (!this.#ended) {
      if (this.#history !== this.#room.history) await this.#lookAgain(); // 1
      const entry = this.#nextOfPage() ?? this.#room.entryAfter(this.#position); // 2
      if (entry) {
        this.#moveBehind(entry);
        if (this.#watch.wants(entry.type)) return entry;
        continue;
      }
      const { promise: woken, resolve } = Promise.withResolvers<void>(); // 3
      this.#wake = resolve;
      const stopListening = this.#room.onChange(resolve);
      try {
        if (!this.#atHead) {
          this.#page = await this.#readOn(); // 4
          if (this.#page.length > 0) continue;
        }
        if (!this.#caughtUp) {
          this.#caughtUp = true;
          const { seq, tag } = this.#position;
          const caughtUp: CaughtUp = { type: 'CaughtUp', roomId: this.roomId, seq, tag, at: new Date() };
          if (this.#watch.wants('CaughtUp')) return caughtUp;
        }
        await woken;
      } finally {
        stopListening();
      }
    }
    return undefined;
  }

  /** Whether all that is known of the room has been handed over. */
  get #atHead(): boolean {
    return (
      this.#history === this.#room.history &&
      this.#taken === this.#page.length &&
      samePosition(this.#position, this.#room.head) &&
      this.#position.seq >= this.#seen.headSeq
    );
  }

  #readOn(): Promise<readonly LogEntry[]> {
    return this.#liveRooms.retry(
      () => this.#liveRooms.readPage(this.roomId, this.#position),
      () => !this.#ended,
    );
  }

  async #lookAgain(): Promise<void> {
    const { history } = this.#room;
    this.#page = [];
    this.#taken = 0;
    this.#seen = await this.#liveRooms.retry(
      () => this.#liveRooms.look(this.#watch),
      () => !this.#ended,
    );
    this.#history = history;
  }

  #nextOfPage(): LogEntry | undefined {
    if (this.#taken < this.#page.length) return this.#page[this.#taken++];
    this.#page = [];
    this.#taken = 0;
    return undefined;
  }

  #moveBehind(entry: LogEntry): void {
    if (!follows(entry, this.#position)) throw new Error(`A feed was about to skip from ${this.#position.seq} to ${entry.seq}.`);
    this.#position = { seq: entry.seq, tag: entry.tag };
    const lostRight =
      entry.type === 'MemberLeft' && entry.userId === this.#watch.viewerId && this.#seen.kind !== 'OPEN' && entry.seq > this.#seen.headSeq;
    if (lostRight || entry.type === 'RoomDeleted') this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leaveGroup();
    this.#leave();
    this.#wake();
  }
}
