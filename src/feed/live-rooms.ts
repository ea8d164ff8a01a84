// The rooms that are watched on this node: each is subscribed to once however many watch it, and let go by the last.
// Every few seconds their heads are checked against the database, which finds what the bus lost with nothing after it.

import type { Bus } from '../bus/bus.ts';
import { notFound } from '../errors.ts';
import type { Log } from '../log.ts';
import { Batch } from '../storage/batch.ts';
import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { RoomHead, RoomView } from '../storage/rooms.ts';
import { LiveRoom } from './live-room.ts';
import { LogReader, type LogSource } from './log-reader.ts';
import { backoff, untilAvailable } from './retry.ts';

export interface FeedTimes {
  /** How often heads are checked while the bus is not healthy; up to a fifth sooner, so that nodes do not ask in step. */
  readonly checkIntervalMs: number;
  /** The first wait before another try, and the longest. */
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
}

const times: FeedTimes = { checkIntervalMs: 1000, backoff };
/** While the bus is healthy, heads are checked at every fifth of those times: within 5 s. */
const healthyChecks = 5;
/** Rooms in one query of the head check. */
const roomsPerCheck = 1000;
/** Viewers whose right is looked at in one query: a crowd that comes back takes few. */
const viewsPerLook = 1000;

interface Watched {
  readonly room: LiveRoom;
  readonly listening: Promise<() => void>;
  watchers: number;
}

export class LiveRooms implements AsyncDisposable {
  readonly #source: LogSource;
  readonly #bus: Bus;
  readonly #log: Log;
  readonly #times: FeedTimes;
  readonly #looks: Batch<RoomView, RoomHead | undefined>;
  readonly #reader: LogReader;
  readonly #watched = new Map<string, Watched>();
  #checkTimer: NodeJS.Timeout;
  #closed = false;
  /** By these an operator sees that a fault was felt: what was found wrong, reads of the log, and what was tried again. */
  readonly counts = { gapsFound: 0, missedFound: 0, undoneFound: 0, reads: 0, retries: 0 };

  constructor(source: LogSource, bus: Bus, log: Log, options: Partial<FeedTimes> = {}) {
    this.#source = source;
    this.#bus = bus;
    this.#log = log;
    this.#times = { ...times, ...options };
    this.#looks = new Batch(viewsPerLook, (views) => source.findVisible(views));
    this.#reader = new LogReader(source, () => (this.counts.reads += 1));
    this.#checkTimer = this.#planCheck(1);
  }

  /** How many rooms are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Whether somebody watches the room. */
  isWatched(roomId: string): boolean {
    return this.#watched.has(roomId);
  }

  /** The live room, listening. Whoever joins reads the log after this, and leaves when done. */
  async join(roomId: string): Promise<{ room: LiveRoom; leave: () => void }> {
    const watched = this.#watched.get(roomId) ?? this.#watch(roomId);
    watched.watchers += 1;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      watched.watchers -= 1;
      if (watched.watchers === 0) this.#unwatch(watched);
    };
    try {
      await watched.listening;
    } catch (error) {
      leave();
      throw error;
    }
    return { room: watched.room, leave };
  }

  /** The room as it is now. Throws NOT_FOUND where the viewer may not see it. */
  async look(view: RoomView): Promise<RoomHead> {
    const room = await this.#looks.ask(view);
    if (!room) throw notFound('There is no such room.', 'roomId');
    return room;
  }

  /** The page of the log behind `after`. */
  async readPage(roomId: string, after: Position): Promise<readonly LogEntry[]> {
    const entries = await this.#reader.read(roomId, after);
    this.#watched.get(roomId)?.room.remember(after, entries);
    return entries;
  }

  /** Does `work`, again and again while the database is away and somebody wants it. */
  retry<T>(work: () => Promise<T>, wanted: () => boolean): Promise<T> {
    return untilAvailable(work, wanted, () => (this.counts.retries += 1), this.#times.backoff);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#checkTimer);
  }

  #watch(roomId: string): Watched {
    const wanted = () => this.#watched.get(roomId)?.room === room;
    const room: LiveRoom = new LiveRoom(
      roomId,
      {
        readPage: (after) => this.retry(() => this.readPage(roomId, after), wanted),
        readHead: async () => (await this.retry(() => this.#source.readHeads([roomId]), wanted)).get(roomId),
      },
      this.counts,
    );
    const watched = { room, listening: this.#bus.subscribe(roomId, (entry) => room.hear(entry)), watchers: 0 };
    this.#watched.set(roomId, watched);
    return watched;
  }

  #unwatch(watched: Watched): void {
    this.#watched.delete(watched.room.roomId);
    watched.listening.then(
      (stopListening) => stopListening(),
      () => {},
    );
  }

  // Whether the heads are checked is decided each time: a bus that fails is noticed within one interval.
  #planCheck(turn: number): NodeJS.Timeout {
    return setTimeout(
      async () => {
        if (!this.#bus.healthy || turn % healthyChecks === 0) await this.#checkHeads();
        if (!this.#closed) this.#checkTimer = this.#planCheck(turn + 1);
      },
      this.#times.checkIntervalMs * (0.8 + Math.random() / 5),
    ).unref();
  }

  async #checkHeads(): Promise<void> {
    const rooms = [...this.#watched.values()].map(({ room }) => room);
    for (let from = 0; from < rooms.length; from += roomsPerCheck) {
      // The heads as they are before the query: one that moves meanwhile is not called undone.
      const then = rooms.slice(from, from + roomsPerCheck).map((room) => ({ room, known: room.known }));
      try {
        const stored = await this.#source.readHeads(then.map(({ room }) => room.roomId));
        for (const { room, known } of then) room.learn(known, stored.get(room.roomId));
      } catch (error) {
        this.#log.warn({ error }, 'the heads of the watched rooms could not be checked');
      }
    }
  }
}
