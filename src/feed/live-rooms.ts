// The rooms that are watched on this node: each is subscribed to once however many watch it, and let go by the last.
// Every few seconds their heads are checked against the database, which finds what the bus lost with nothing after it.

import type { Bus } from '../bus/bus.ts';
import type { Log } from '../log.ts';
import type { Position } from '../storage/cursor.ts';
import { type LogEntry, readHeads, readLog } from '../storage/room-log.ts';
import type { Db } from '../storage/tables.ts';
import { LiveRoom, logPageSize } from './live-room.ts';
import { untilAvailable } from './retry.ts';

/** How often heads are checked, by whether the bus is healthy; up to a fifth sooner, so that nodes do not ask in step. */
const checkIntervalMs = { healthy: 5000, unhealthy: 1000 };
/** Rooms in one query of the head check. */
const roomsPerCheck = 1000;

interface Watched {
  readonly room: LiveRoom;
  readonly listening: Promise<() => void>;
  watchers: number;
}

export class LiveRooms implements AsyncDisposable {
  readonly #db: Db;
  readonly #bus: Bus;
  readonly #log: Log;
  readonly #watched = new Map<string, Watched>();
  readonly #reads = new Map<string, Promise<readonly LogEntry[]>>();
  #checkTimer: NodeJS.Timeout;
  #closed = false;

  constructor(db: Db, bus: Bus, log: Log) {
    this.#db = db;
    this.#bus = bus;
    this.#log = log;
    this.#checkTimer = this.#planCheck();
  }

  /** How many rooms are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** The live room, listening. Whoever joins reads the log after this, and leaves when done. */
  async join(roomId: string): Promise<{ room: LiveRoom; leave: () => void }> {
    const known = this.#watched.get(roomId);
    // One that has failed is left to those who have yet to hear of it.
    const watched = known && known.room.failure === undefined ? known : this.#watch(roomId);
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

  /** The page of the log behind `after`. Tries again while `wanted`, should the database be away. */
  readPage(roomId: string, after: Position, wanted: () => boolean): Promise<readonly LogEntry[]> {
    return untilAvailable(() => this.#read(roomId, after), wanted);
  }

  // Feeds that resume from the same position at the same time read the same page.
  #read(roomId: string, after: Position): Promise<readonly LogEntry[]> {
    const key = `${roomId} ${after.seq} ${after.tag}`;
    const underWay = this.#reads.get(key);
    if (underWay) return underWay;
    const read = readLog(this.#db, roomId, after, logPageSize).finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#checkTimer);
  }

  #watch(roomId: string): Watched {
    const room: LiveRoom = new LiveRoom(roomId, (id, after) => this.readPage(id, after, () => this.#watched.get(id)?.room === room));
    const watched = { room, listening: this.#bus.subscribe(roomId, (entry) => room.hear(entry)), watchers: 0 };
    this.#watched.set(roomId, watched);
    return watched;
  }

  #unwatch(watched: Watched): void {
    const { roomId } = watched.room;
    if (this.#watched.get(roomId) === watched) this.#watched.delete(roomId);
    watched.listening.then(
      (stopListening) => stopListening(),
      () => {},
    );
  }

  #planCheck(): NodeJS.Timeout {
    const intervalMs = this.#bus.healthy ? checkIntervalMs.healthy : checkIntervalMs.unhealthy;
    return setTimeout(
      async () => {
        await this.#checkHeads();
        if (!this.#closed) this.#checkTimer = this.#planCheck();
      },
      intervalMs * (0.8 + Math.random() / 5),
    ).unref();
  }

  async #checkHeads(): Promise<void> {
    const rooms = [...this.#watched.values()].map(({ room }) => room);
    for (let from = 0; from < rooms.length; from += roomsPerCheck) {
      // The heads as they are before the query: one that moves meanwhile is not called undone.
      const then = rooms.slice(from, from + roomsPerCheck).flatMap((room) => (room.head ? [{ room, head: room.head }] : []));
      if (then.length === 0) continue;
      try {
        const stored = await readHeads(
          this.#db,
          then.map(({ room }) => room.roomId),
        );
        for (const { room, head } of then) room.check(head, stored.get(room.roomId));
      } catch (error) {
        this.#log.warn({ error }, 'the heads of the watched rooms could not be checked');
      }
    }
  }
}
