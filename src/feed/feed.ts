// What one subscriber is handed: the entries of a room behind a position, each exactly once and in order, or a typed
// error. It pulls: nothing is queued for a subscriber, so a slow one costs a position in the log and nothing else.

import { notFound } from '../errors.ts';
import { decodeCursor, type Position } from '../storage/cursor.ts';
import { headOf, type LogEntry } from '../storage/room-log.ts';
import { findVisibleRoom } from '../storage/rooms.ts';
import type { Db, RoomKind } from '../storage/tables.ts';
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
export async function openFeed(db: Db, liveRooms: LiveRooms, watch: Watch): Promise<Feed> {
  const { roomId, viewerId } = watch;
  const after = watch.after === undefined ? undefined : decodeCursor(roomId, watch.after);
  await requireVisible(db, viewerId, roomId); // 1
  const { room, leave } = await liveRooms.join(roomId); // 2
  try {
    const then = room.head;
    const { kind, ...row } = await requireVisible(db, viewerId, roomId); // 3
    const head = headOf(row);
    const page =
      after === undefined || (after.seq === head.seq && after.tag === head.tag) ? [] : await liveRooms.readPage(roomId, after, () => false);
    room.learn(then, head);
    if (room.failure === undefined) return new Feed(liveRooms, room, leave, { ...watch, kind, head, position: after ?? head, page });
  } catch (error) {
    leave();
    throw error;
  }
  // The log that this node knew was undone, which is no fault of a newcomer: they get a live room of its present.
  leave();
  return openFeed(db, liveRooms, watch);
}

async function requireVisible(db: Db, viewerId: string, roomId: string) {
  const room = await findVisibleRoom(db, viewerId, roomId);
  if (!room) throw notFound('There is no such room.', 'roomId');
  return room;
}

interface Start extends Watch {
  readonly kind: RoomKind;
  /** The log's, when the viewer's right was last seen: what took it before, they have had back since. */
  readonly head: Position;
  readonly position: Position;
  readonly page: readonly LogEntry[];
}

export class Feed implements AsyncGenerator<Delivery, undefined> {
  readonly #liveRooms: LiveRooms;
  readonly #room: LiveRoom;
  readonly #leave: () => void;
  readonly #stopListening: () => void;
  readonly #start: Start;
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
    this.#start = start;
    this.#position = start.position;
    this.#page = start.page;
    this.#stopListening = room.onChange(() => this.#wake());
  }

  /** Where the subscriber is: behind the entry that was handed over last. */
  get position(): Position {
    return this.#position;
  }

  get roomId(): string {
    return this.#start.roomId;
  }

  /** What feeds of the room that are at the same entry share. */
  get fanOut(): FanOut {
    return this.#room.fanOut;
  }

  /** Whether the subscriber has gone: what is under way for them is wanted no more. */
  get closed(): boolean {
    return this.#closed;
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
   * 1. What was read from the log goes first, then what the live room remembers: always the entry right behind the
   *    position, so nothing is passed over whichever of the two it comes from.
   * 2. Behind what the room remembers, the log is read.
   * 3. At the head, the promise to be woken is made before the head is looked at again: an entry that arrives between
   *    the look and the wait would wake nobody.
   */
  async #pull(): Promise<Delivery | undefined> {
    while (!this.#ended) {
      const entry = this.#nextOfPage() ?? this.#room.entryAfter(this.#position); // 1
      if (entry) {
        this.#moveBehind(entry);
        if (this.#start.wants(entry)) return entry;
        continue;
      }
      if (this.#room.failure !== undefined) throw this.#room.failure;
      const { promise: woken, resolve } = Promise.withResolvers<void>(); // 3
      this.#wake = resolve;
      const headSeq = Math.max(this.#start.head.seq, this.#room.head?.seq ?? 0);
      if (headSeq > this.#position.seq) {
        this.#page = await this.#liveRooms.readPage(this.#room.roomId, this.#position, () => !this.#ended); // 2
        if (this.#page.length > 0) continue;
      } else if (!this.#caughtUp) {
        this.#caughtUp = true;
        const caughtUp: CaughtUp = { type: 'CaughtUp', roomId: this.#room.roomId, ...this.#position, at: new Date() };
        if (this.#start.wants(caughtUp)) return caughtUp;
      }
      await woken;
    }
    return undefined;
  }

  #nextOfPage(): LogEntry | undefined {
    if (this.#taken < this.#page.length) return this.#page[this.#taken++];
    this.#page = [];
    this.#taken = 0;
    return undefined;
  }

  #moveBehind(entry: LogEntry): void {
    if (entry.seq !== this.#position.seq + 1) throw new Error(`A feed was about to skip from ${this.#position.seq} to ${entry.seq}.`);
    this.#position = { seq: entry.seq, tag: entry.tag };
    const lostRight =
      entry.type === 'MemberLeft' &&
      entry.userId === this.#start.viewerId &&
      this.#start.kind !== 'OPEN' &&
      entry.seq > this.#start.head.seq;
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
