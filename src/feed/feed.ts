// What one subscriber is handed: the entries of a room behind a position, each exactly once and in order, or a typed
// error. It pulls: nothing is queued for a subscriber, so a slow one costs a position in the log and nothing else.

import { notFound } from '../errors.ts';
import { decodeCursor, type Position } from '../storage/cursor.ts';
import { follows, headOf, type LogEntry } from '../storage/room-log.ts';
import type { RoomKind } from '../storage/tables.ts';
import type { FanOut } from './fan-out.ts';
import type { LiveRoom } from './live-room.ts';
import type { LiveRooms } from './live-rooms.ts';

/** All that was missed has been handed over. Not an entry: it has the position of the head, and takes none. */
export interface CaughtUp extends Position {
  readonly type: 'CaughtUp';
  readonly roomId: string;
  readonly at: Date;
}

export type Delivery = LogEntry | CaughtUp;

export interface Watch {
  readonly roomId: string;
  readonly viewerId: string;
  /** Cursor behind which to begin. Without one: live only. */
  readonly after: string | undefined;
  /** What the subscriber wants to be handed. The rest moves the position, and ends the feed, all the same. */
  readonly wants: (delivery: Delivery) => boolean;
}

/**
 * Opens a feed. Throws NOT_FOUND where the viewer may not see the room, CURSOR_INVALID, or CURSOR_EXPIRED.
 *
 * 1. The viewer's right is looked at, before anything is opened for them.
 * 2. The node listens to the room.
 * 3. Only then are the room's head and the first page read. The other way round, an entry that is committed between
 *    would be neither read nor heard.
 */
export async function openFeed(liveRooms: LiveRooms, watch: Watch): Promise<Feed> {
  const { roomId } = watch;
  const after = watch.after === undefined ? undefined : decodeCursor(roomId, watch.after);
  await look(liveRooms, watch); // 1
  const { room, leave } = await liveRooms.join(roomId); // 2
  try {
    const then = room.head;
    const seen = await look(liveRooms, watch); // 3
    room.learn(then, seen.head);
    const { history } = room;
    const page = after === undefined || same(after, seen.head) ? [] : await liveRooms.readPage(roomId, after);
    return new Feed(liveRooms, room, leave, { ...watch, seen, history, position: after ?? seen.head, page });
  } catch (error) {
    leave();
    throw error;
  }
}

/** The room as its viewer saw it last, when they had the right to: what took it up to this head, they have had back since. */
interface Look {
  readonly kind: RoomKind;
  readonly head: Position;
}

async function look(liveRooms: LiveRooms, { viewerId, roomId }: Watch): Promise<Look> {
  const room = await liveRooms.findVisible({ viewerId, roomId });
  if (!room) throw notFound('There is no such room.', 'roomId');
  return { kind: room.kind, head: headOf(room) };
}

const same = (a: Position, b: Position | undefined) => a.seq === b?.seq && a.tag === b.tag;

interface Start extends Watch {
  readonly seen: Look;
  /** The live room's, before `page` was read. */
  readonly history: number;
  readonly position: Position;
  readonly page: readonly LogEntry[];
}

export class Feed implements AsyncGenerator<Delivery, undefined> {
  readonly #liveRooms: LiveRooms;
  readonly #room: LiveRoom;
  readonly #leave: () => void;
  readonly #stopListening: () => void;
  readonly #watch: Watch;
  #seen: Look;
  #history: number;
  #position: Position;
  #page: readonly LogEntry[];
  /** How much of the page was handed over. */
  #taken = 0;
  #caughtUp = false;
  #ended = false;
  #closed = false;
  #wake: () => void = () => {};
  /** The call of next() that waits, if any. */
  #pending: PromiseWithResolvers<IteratorResult<Delivery, undefined>> | undefined;

  constructor(liveRooms: LiveRooms, room: LiveRoom, leave: () => void, start: Start) {
    this.#liveRooms = liveRooms;
    this.#room = room;
    this.#leave = leave;
    this.#watch = start;
    this.#seen = start.seen;
    this.#history = start.history;
    this.#position = start.position;
    this.#page = start.page;
    this.#stopListening = room.onChange(() => this.#wake());
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
   * 3. The promise to be woken is made before the head is looked at: an entry that arrives between the look and the wait
   *    would wake nobody.
   * 4. Elsewhere than at the head, the log is read. The live room may itself be behind what was seen of the log.
   */
  async #pull(): Promise<Delivery | undefined> {
    while (!this.#ended) {
      if (this.#history !== this.#room.history) await this.#lookAgain(); // 1
      const entry = this.#nextOfPage() ?? this.#room.entryAfter(this.#position); // 2
      if (entry) {
        this.#moveBehind(entry);
        if (this.#watch.wants(entry)) return entry;
        continue;
      }
      const { promise: woken, resolve } = Promise.withResolvers<void>(); // 3
      this.#wake = resolve;
      if (!same(this.#position, this.#room.head) || this.#position.seq < this.#seen.head.seq) {
        this.#page = await this.#readOn(); // 4
        if (this.#page.length > 0) continue;
      }
      if (!this.#caughtUp) {
        this.#caughtUp = true;
        const caughtUp: CaughtUp = { type: 'CaughtUp', roomId: this.#room.roomId, ...this.#position, at: new Date() };
        if (this.#watch.wants(caughtUp)) return caughtUp;
      }
      await woken;
    }
    return undefined;
  }

  #readOn(): Promise<readonly LogEntry[]> {
    return this.#liveRooms.retry(
      () => this.#liveRooms.readPage(this.#room.roomId, this.#position),
      () => !this.#ended,
    );
  }

  async #lookAgain(): Promise<void> {
    const { history } = this.#room;
    this.#page = [];
    this.#taken = 0;
    this.#seen = await this.#liveRooms.retry(
      () => look(this.#liveRooms, this.#watch),
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
      entry.type === 'MemberLeft' && entry.userId === this.#watch.viewerId && this.#seen.kind !== 'OPEN' && entry.seq > this.#seen.head.seq;
    if (lostRight || entry.type === 'RoomDeleted') this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopListening();
    this.#leave();
    this.#wake();
  }
}
