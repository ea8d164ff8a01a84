// Delivers a room's log to one subscriber: every entry after a position, once and in order, or a typed error with the
// position unchanged. A feed pulls, alone or in a group at the head. No entries are queued for a subscriber: a slow reader
// costs a position in the log.

import { encodeCursor, type Position, samePosition } from '../storage/cursor.ts';
import { endsRight, endsRoom } from '../storage/entry-types.ts';
import { follows, type LogEntry } from '../storage/room-log.ts';
import type { RoomHead } from '../storage/rooms.ts';
import type { CaughtUp, Delivery, EventSource, Operation, SharedOperation, Sink, Watch } from './delivery.ts';
import type { FanOut } from './fan-out.ts';
import { type Group, type Member, maxTogether } from './group.ts';
import type { LiveRoom } from './live-room.ts';
import type { LiveRooms } from './live-rooms.ts';
import { UnreadPage } from './unread-page.ts';

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

export class Feed implements EventSource<Delivery, LogEntry>, Member<unknown> {
  readonly #liveRooms: LiveRooms;
  readonly #room: LiveRoom;
  readonly #leave: () => void;
  readonly #watch: Watch;
  #seen: RoomHead;
  #epoch: number;
  #position: Position;
  readonly #page: UnreadPage;
  /** How many entries are executed together: more while the sink takes all of them, so that little is executed for nothing. */
  #together = 1;
  #caughtUp = false;
  #ended = false;
  /** Set by `run`. */
  #operation: Operation<unknown> | undefined;
  #sink: Sink<unknown> | undefined;
  #succeed: () => void = nothing;
  #fail: (error: unknown) => void = nothing;
  /** Wakes the feed while it waits for an entry or for its sink. */
  #wake: () => void = nothing;
  /** The group that the feed is a member of. */
  #group: Group<unknown> | undefined;

  constructor(liveRooms: LiveRooms, room: LiveRoom, leave: () => void, start: Start) {
    this.#liveRooms = liveRooms;
    this.#room = room;
    this.#leave = leave;
    this.#watch = start.watch;
    this.#seen = start.seen;
    this.#epoch = start.epoch;
    this.#position = start.position;
    this.#page = new UnreadPage(start.page);
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
    this.#operation = operation;
    this.#sink = sink as Sink<unknown>;
    this.#succeed = resolve;
    this.#fail = reject;
    void this.#continue();
    return promise;
  }

  /** Ends the feed at once, even while it waits for an entry, the database or its sink. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#group?.remove(this);
    this.#leave();
    this.#wake();
    this.#succeed();
  }

  /** graphql-js requires the source of a subscription to be iterable. This method is never called: see `run`. */
  [Symbol.asyncIterator](): never {
    throw new Error('A feed cannot be iterated: call run().');
  }

  /**
   * Delivers until the feed ends or joins a group. No promise waits while it is in a group, where most feeds are most of the
   * time: `onLeft` continues.
   */
  async #continue(): Promise<void> {
    try {
      if (await this.#deliverAlone(this.#operation as Operation<unknown>, this.#sink as Sink<unknown>)) return;
      this.#succeed();
    } catch (error) {
      this.#fail(error);
    }
    this.stop();
  }

  /**
   * Delivers until the feed ends: resolves with false. Resolves with true when it has joined a group.
   *
   * 1. The operation is executed only while the sink is ready. A closed sink ends the feed.
   * 2. At the head the feed joins the group with the same key, until the group cannot serve it.
   * 3. Elsewhere it executes the entries that are in memory, several together, so that one query loads their rows.
   */
  async #deliverAlone(operation: Operation<unknown>, sink: Sink<unknown>): Promise<boolean> {
    while (!this.#ended && sink.open) {
      if (!sink.ready)
        await this.#untilReady(sink); // 1
      else if (operation.shared && this.#mayFollow()) {
        this.#join(operation.shared); // 2
        return true;
      } else await this.#deliver(await this.#next(), operation, sink); // 3
    }
    return false;
  }

  /**
   * Executes and writes deliveries. Those that cannot be written are executed again later, as the position moves only when a
   * result is written.
   *
   * 1. If one of several cannot be executed, each is executed alone, so that those before it are delivered.
   * 2. A sink that is full while several are executed gets them one by one. A result that was executed alone waits for the
   *    sink, because others could fill it at each attempt.
   * 3. Entries that were rolled back meanwhile are not delivered.
   */
  async #deliver<Result>(deliveries: readonly Delivery[], operation: Operation<Result>, sink: Sink<Result>): Promise<void> {
    const { epoch } = this.#room;
    const alone = deliveries.length === 1;
    const wanted = deliveries.filter(({ type }) => this.#watch.wants(type));
    const results = wanted.length === 0 ? [] : await this.#execute(operation, wanted, alone);
    this.#together = results ? Math.min(2 * this.#together, maxTogether) : 1;
    if (!results) return; // 1
    while (alone && !this.#isReadyFor(sink, results[0]) && sink.open && !this.#ended) await this.#untilReady(sink); // 2
    if (epoch !== this.#room.epoch) return; // 3
    let written = 0;
    for (const delivery of deliveries) {
      if (this.#ended || !sink.open) return;
      const isWanted = this.#watch.wants(delivery.type);
      if (isWanted && !this.#isReadyFor(sink, results[written])) {
        this.#together = 1; // 2
        return;
      }
      if (delivery.type === 'CaughtUp') this.#caughtUp = true;
      else this.#moveTo(delivery);
      if (isWanted) sink.write(results[written++] as Result);
      if (delivery.type !== 'CaughtUp' && this.#isLast(delivery)) return this.stop();
    }
  }

  /** The results, in order. Undefined if the deliveries cannot be executed together. */
  async #execute<Result>(operation: Operation<Result>, deliveries: readonly Delivery[], alone: boolean) {
    const execute = () => this.#liveRooms.inTurn(async () => (this.#ended ? [] : operation.execute(deliveries)));
    if (alone) return this.#retry(execute);
    return execute().catch(() => undefined);
  }

  #isReadyFor<Result>(sink: Sink<Result>, result: Result | undefined): boolean {
    return sink.ready && (result === undefined || (sink.accepts?.(result) ?? true));
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

  #join(shared: SharedOperation<unknown>): void {
    this.#caughtUp = true;
    const { wants } = this.#watch;
    const liveRooms = this.#liveRooms;
    this.#group = this.fanOut.join(shared.key, this.#position, this, () => ({
      wants,
      execute: (entries, wanted) => liveRooms.retry(() => shared.execute(entries), wanted),
    }));
  }

  /** Called by the group. */
  deliver(entry: LogEntry, result: unknown): boolean {
    // A delivery to another member, or the one before, may have ended this feed.
    if (this.#ended) return false;
    if (entry.seq <= this.#position.seq) return true;
    const sink = this.#sink as Sink<unknown>;
    // The entry that ends the viewer's right is not shared. Its delivery ends the feed.
    if (this.#isLast(entry) || !follows(entry, this.#position) || (result !== undefined && !this.#isReadyFor(sink, result))) return false;
    this.#position = entry;
    if (result !== undefined) sink.write(result);
    return true;
  }

  /** Called by the group. The position is after the last entry that the group has delivered to this feed. */
  onLeft(error?: unknown): void {
    this.#group = undefined;
    if (this.#ended) return;
    if (error === undefined) {
      // Not at once: the group is still delivering to its other members.
      queueMicrotask(() => void this.#continue());
    } else {
      this.#fail(error);
      this.stop();
    }
  }

  /**
   * The next deliveries. Does not move the position to them. Empty once the feed has ended.
   *
   * 1. After a rollback, the page that was read before is dropped and the right is checked again. If the log still holds the
   *    position, the feed continues; otherwise its next read throws CURSOR_EXPIRED.
   * 2. The feed registers its wake function before it checks the head. Otherwise an entry that arrives between the check and
   *    the wait would not wake the feed.
   * 3. If the feed is not at the head, it reads the log. The live room itself may lag the page that was read.
   */
  async #next(): Promise<readonly Delivery[]> {
    while (!this.#ended) {
      if (this.#room.failure) throw this.#room.failure.error;
      if (this.#epoch !== this.#room.epoch) await this.#checkAgain(); // 1
      const entries = this.#entriesInMemory();
      if (entries.length > 0) return entries;
      const { promise: woken, resolve } = Promise.withResolvers<void>(); // 2
      this.#wake = resolve;
      const stopWaking = this.#room.onChange(resolve);
      try {
        if (!this.#atHead) {
          const { entries } = await this.#retry(() => this.#liveRooms.readPage(this.#room.roomId, this.#position)); // 3
          this.#page.fill(entries);
          if (entries.length > 0) continue;
        }
        if (!this.#caughtUp && this.#watch.wants('CaughtUp')) return [this.#caughtUpHere()];
        this.#caughtUp = true;
        await woken;
      } finally {
        stopWaking();
      }
    }
    return [];
  }

  /**
   * The entries after the position that are in memory, as many as are executed together. The page that was read from the log
   * has precedence over the tail. Each follows the one before it, so none is skipped. The last entry of the feed is the last.
   */
  #entriesInMemory(): readonly LogEntry[] {
    const entries: LogEntry[] = [];
    for (let position = this.#position; entries.length < this.#together; ) {
      const entry = this.#page.at(entries.length) ?? this.#room.entryAfter(position);
      if (!entry || !follows(entry, position)) break;
      entries.push(entry);
      position = entry;
      if (this.#isLast(entry)) break;
    }
    return entries;
  }

  /** Whether every entry that this node knows has been delivered. */
  get #atHead(): boolean {
    return (
      this.#epoch === this.#room.epoch &&
      this.#page.empty &&
      samePosition(this.#position, this.#room.head) &&
      this.#position.seq >= this.#seen.headSeq
    );
  }

  #retry<T>(work: () => Promise<T>): Promise<T> {
    return this.#liveRooms.retry(work, () => !this.#ended);
  }

  async #checkAgain(): Promise<void> {
    const { epoch } = this.#room;
    this.#page.fill([]);
    this.#seen = await this.#retry(() => this.#liveRooms.getVisible(this.#watch));
    this.#epoch = epoch;
  }

  #caughtUpHere(): CaughtUp {
    const { seq, tag } = this.#position;
    return { type: 'CaughtUp', roomId: this.#room.roomId, seq, tag, at: new Date() };
  }

  #moveTo(entry: LogEntry): void {
    if (!follows(entry, this.#position)) throw new Error(`A feed tried to skip from entry ${this.#position.seq} to entry ${entry.seq}.`);
    this.#page.pass(entry);
    this.#position = { seq: entry.seq, tag: entry.tag };
  }

  /** Whether the viewer's right, or the room, ends with the entry. False if a later check found that the viewer has the right again. */
  #isLast(entry: LogEntry): boolean {
    return endsRight(entry, this.#watch.viewerId) && (endsRoom(entry) || (this.#seen.kind !== 'OPEN' && entry.seq > this.#seen.headSeq));
  }
}
