// Delivers a room's log to one subscriber: every entry after a position, once and in order, or a typed error with the
// position unchanged. A feed pulls, alone or in a group at the head. No entries are queued for a subscriber: a slow reader
// costs a position in the log.

import { encodeCursor, type Position, samePosition } from '../storage/cursor.ts';
import { endsRight, endsRoom } from '../storage/entry-types.ts';
import { follows, type LogEntry } from '../storage/room-log.ts';
import type { RoomHead } from '../storage/rooms.ts';
import type { CaughtUp, Delivery, Operation, SharedOperation, Sink, Watch } from './delivery.ts';
import type { FanOut } from './fan-out.ts';
import type { GroupOperation, Member } from './group.ts';
import type { LiveRoom } from './live-room.ts';
import type { LiveRooms } from './live-rooms.ts';

const nothing = () => {};

interface Start {
  readonly watch: Watch;
  /** The room when the viewer's right was last checked. Entries up to its head cannot end the right. */
  readonly seen: RoomHead;
  /** The live room's epoch before `page` was read. */
  readonly epoch: number;
  readonly position: Position;
  readonly page: readonly LogEntry[];
}

export class Feed implements AsyncIterable<never> {
  readonly #liveRooms: LiveRooms;
  readonly #room: LiveRoom;
  readonly #leave: () => void;
  readonly #watch: Watch;
  #seen: RoomHead;
  #epoch: number;
  #position: Position;
  #page: readonly LogEntry[];
  /** How many entries of the page come before the position. */
  #delivered = 0;
  #caughtUp = false;
  #ended = false;
  /** Wakes the feed while it waits for an entry, for its sink, or in a group. */
  #wake: () => void = nothing;
  #settle: () => void = nothing;
  #leaveGroup: () => void = nothing;

  constructor(liveRooms: LiveRooms, room: LiveRoom, leave: () => void, start: Start) {
    this.#liveRooms = liveRooms;
    this.#room = room;
    this.#leave = leave;
    this.#watch = start.watch;
    this.#seen = start.seen;
    this.#epoch = start.epoch;
    this.#position = start.position;
    this.#page = start.page;
  }

  /** The position after the entry that was delivered last. */
  get position(): Position {
    return this.#position;
  }

  /** The cursor of the position. */
  get cursor(): string {
    return encodeCursor(this.#room.roomId, this.#position);
  }

  /** State that the feeds of the room share. */
  get fanOut(): FanOut {
    return this.#room.fanOut;
  }

  /**
   * Executes the operation for each entry and writes the results to the sink while it is ready. Resolves at the end of the
   * feed, or at once after `stop`. Rejects if an entry cannot be delivered; the position is then before that entry.
   */
  run<Result>(operation: Operation<Result>, sink: Sink<Result>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = resolve;
    this.#deliverAll(operation, sink)
      .then(resolve, reject)
      .finally(() => this.stop());
    return promise;
  }

  /** Ends the feed at once, even while it waits for an entry, the database or its sink. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leaveGroup();
    this.#leave();
    this.#wake();
    this.#settle();
  }

  /** graphql-js requires the source of a subscription to be iterable. This method is never called: see `run`. */
  [Symbol.asyncIterator](): never {
    throw new Error('A feed cannot be iterated: call run().');
  }

  /**
   * 1. The operation is executed only while the sink is ready. A closed sink ends the feed.
   * 2. At the head the feed joins the group with the same key, until the group cannot serve it.
   * 3. Elsewhere the feed executes one entry at a time. The position moves when the result is written, not before.
   */
  async #deliverAll<Result>(operation: Operation<Result>, sink: Sink<Result>): Promise<void> {
    while (!this.#ended && sink.open) {
      if (!sink.ready) {
        await this.#untilReady(sink); // 1
      } else if (operation.shared && this.#mayFollow()) {
        await this.#follow(operation.shared, sink); // 2
      } else {
        const delivery = await this.#next(); // 3
        if (!delivery) return;
        const result = await this.#retry(() => operation.execute(delivery));
        while (!sink.ready && sink.open && !this.#ended) await this.#untilReady(sink);
        if (!sink.ready || this.#ended) return;
        if (delivery.type === 'CaughtUp') this.#caughtUp = true;
        else this.#moveTo(delivery);
        sink.write(result);
        if (delivery.type !== 'CaughtUp' && this.#isLast(delivery)) return;
      }
    }
  }

  async #untilReady(sink: Sink<never>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    void sink.drained().then(resolve, resolve);
    await promise;
  }

  #mayFollow(): boolean {
    return this.#atHead && (this.#caughtUp || !this.#watch.wants('CaughtUp'));
  }

  /** Resolves when the feed has left the group. Its position is then after the last entry that the group delivered to it. */
  async #follow<Result>(shared: SharedOperation<Result>, sink: Sink<Result>): Promise<void> {
    this.#caughtUp = true;
    const { promise: left, resolve, reject } = Promise.withResolvers<void>();
    const member: Member<Result> = {
      deliver: (entry, result) => {
        if (entry.seq <= this.#position.seq) return true;
        // The last entry of the room is not shared. Its delivery ends the feed.
        if (this.#isLast(entry) || !follows(entry, this.#position) || (result !== undefined && !sink.ready)) return false;
        this.#position = entry;
        if (result !== undefined) sink.write(result);
        return true;
      },
      onLeft: (error) => (error === undefined ? resolve() : reject(error)),
    };
    const { wants } = this.#watch;
    const liveRooms = this.#liveRooms;
    const operation: GroupOperation<Result> = {
      wants,
      execute: (entries, wanted) => liveRooms.retry(() => shared.execute(entries), wanted),
    };
    const group = this.fanOut.join(shared.key, operation, this.#position, member);
    this.#leaveGroup = () => group.remove(member);
    await left;
    this.#leaveGroup = nothing;
  }

  /**
   * The next delivery that is wanted. Does not move the position to it. Undefined once the feed has ended.
   *
   * 1. After a rollback, the page that was read before is dropped and the right is checked again. If the log still holds the
   *    position, the feed continues; otherwise its next read throws CURSOR_EXPIRED.
   * 2. The page that was read from the log has precedence over the tail. Either way the entry is the one directly after the
   *    position, so none is skipped.
   * 3. The feed listens before it checks the head. Otherwise an entry that arrives between the check and the wait would not
   *    wake the feed.
   * 4. If the feed is not at the head, it reads the log. The live room itself may lag the page that was read.
   */
  async #next(): Promise<Delivery | undefined> {
    while (!this.#ended) {
      if (this.#room.failure) throw this.#room.failure.error;
      if (this.#epoch !== this.#room.epoch) await this.#checkAgain(); // 1
      const entry = this.#page[this.#delivered] ?? this.#room.entryAfter(this.#position); // 2
      if (entry) {
        if (this.#watch.wants(entry.type)) return entry;
        this.#moveTo(entry);
        if (this.#isLast(entry)) return undefined;
        continue;
      }
      const { promise: woken, resolve } = Promise.withResolvers<void>(); // 3
      this.#wake = resolve;
      const stopListening = this.#room.onChange(resolve);
      try {
        if (!this.#atHead) {
          const { entries } = await this.#retry(() => this.#liveRooms.readPage(this.#room.roomId, this.#position)); // 4
          this.#page = entries;
          this.#delivered = 0;
          if (this.#page.length > 0) continue;
        }
        if (!this.#caughtUp && this.#watch.wants('CaughtUp')) return this.#caughtUpHere();
        this.#caughtUp = true;
        await woken;
      } finally {
        stopListening();
      }
    }
    return undefined;
  }

  /** Whether every entry that this node knows has been delivered. */
  get #atHead(): boolean {
    return (
      this.#epoch === this.#room.epoch &&
      this.#delivered === this.#page.length &&
      samePosition(this.#position, this.#room.head) &&
      this.#position.seq >= this.#seen.headSeq
    );
  }

  #retry<T>(work: () => Promise<T>): Promise<T> {
    return this.#liveRooms.retry(work, () => !this.#ended);
  }

  async #checkAgain(): Promise<void> {
    const { epoch } = this.#room;
    this.#page = [];
    this.#delivered = 0;
    this.#seen = await this.#retry(() => this.#liveRooms.getVisible(this.#watch));
    this.#epoch = epoch;
  }

  #caughtUpHere(): CaughtUp {
    const { seq, tag } = this.#position;
    return { type: 'CaughtUp', roomId: this.#room.roomId, seq, tag, at: new Date() };
  }

  #moveTo(entry: LogEntry): void {
    if (!follows(entry, this.#position)) throw new Error(`A feed tried to skip from entry ${this.#position.seq} to entry ${entry.seq}.`);
    if (this.#page[this.#delivered] === entry) this.#delivered += 1;
    if (this.#delivered === this.#page.length && this.#delivered > 0) {
      this.#page = [];
      this.#delivered = 0;
    }
    this.#position = { seq: entry.seq, tag: entry.tag };
  }

  /** Whether the viewer's right, or the room, ends with the entry. False if a later check found that the viewer has the right again. */
  #isLast(entry: LogEntry): boolean {
    return endsRoom(entry) || (this.#seen.kind !== 'OPEN' && entry.seq > this.#seen.headSeq && endsRight(entry, this.#watch.viewerId));
  }
}
