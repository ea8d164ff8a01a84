// The rooms that are watched on this node. The node subscribes to each room once, until its last subscriber leaves. A head
// check every few seconds finds lost entries that no later entry reveals.

import pLimit from 'p-limit';
import type { Bus } from '../bus/bus.ts';
import { planChecks } from '../bus/checks.ts';
import { type Clock, realClock } from '../clock.ts';
import { noSuchRoom } from '../errors.ts';
import type { Log } from '../log.ts';
import { type BatchLoader, loaderOf } from '../storage/batch-loader.ts';
import type { Position } from '../storage/cursor.ts';
import type { RoomHead, RoomView } from '../storage/rooms.ts';
import { UnknownEntryError } from '../storage/unknown-entry.ts';
import { LiveRoom } from './live-room.ts';
import { type EntriesAfter, LogReader, type LogSource } from './log-reader.ts';
import type { Retry } from './retry.ts';

/** Maximum number of rooms in one query of the head check. */
const roomsPerCheck = 1000;
/** Maximum number of concurrent executions for single subscribers. They share four connections. */
const maxExecutions = 64;
/** Maximum number of viewers whose right one query checks. */
const viewsPerQuery = 1000;

export interface LiveRoomsOptions {
  readonly checkIntervalMs?: number;
  readonly clock?: Clock;
}

interface Watched {
  readonly room: LiveRoom;
  readonly subscribed: Promise<() => void>;
  watchers: number;
}

export class LiveRooms implements AsyncDisposable {
  readonly #source: LogSource;
  readonly #bus: Bus;
  readonly #retry: Retry;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #checks: Disposable;
  readonly #views: BatchLoader<RoomView, RoomHead>;
  readonly #reader: LogReader;
  readonly #watched = new Map<string, Watched>();
  readonly #unknownTypes = new Set<string>();
  #closed = false;
  readonly #counts = { gapsFound: 0, missedFound: 0, rollbacksFound: 0, reads: 0 };

  constructor(source: LogSource, bus: Bus, retry: Retry, log: Log, options: LiveRoomsOptions = {}) {
    this.#source = source;
    this.#bus = bus;
    this.#retry = retry;
    this.#log = log;
    this.#clock = options.clock ?? realClock;
    this.#views = loaderOf(viewsPerQuery, (views) => source.findVisible(views));
    this.#reader = new LogReader(source, () => (this.#counts.reads += 1));
    this.#checks = planChecks(bus, this.#clock, () => this.#checkHeads(), options.checkIntervalMs);
  }

  /** Number of watched rooms. */
  get size(): number {
    return this.#watched.size;
  }

  /** Counters for operators: gaps, missed entries and rollbacks found, reads of the log, retries. */
  get counts() {
    return { ...this.#counts, ...this.#retry.counts };
  }

  /** Entry types that were found in a log and that this version does not know, because a newer version wrote them. */
  get unknownTypes(): readonly string[] {
    return [...this.#unknownTypes];
  }

  isWatched(roomId: string): boolean {
    return this.#watched.has(roomId);
  }

  /** The live room, once it is subscribed to the bus. The caller reads the log after this, and calls `leave` when done. */
  async join(roomId: string): Promise<{ room: LiveRoom; leave: () => void }> {
    const known = this.#watched.get(roomId);
    const watched = known && !known.room.failure ? known : this.#watch(roomId);
    watched.watchers += 1;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      watched.watchers -= 1;
      if (watched.watchers === 0) this.#unwatch(watched);
    };
    try {
      await watched.subscribed;
    } catch (error) {
      leave();
      throw error;
    }
    return { room: watched.room, leave };
  }

  /** The room as it is now. Throws NOT_FOUND if the viewer may not read it. */
  async getVisible(view: RoomView): Promise<RoomHead> {
    const room = await this.#views.load(view);
    if (!room) throw noSuchRoom();
    return room;
  }

  /** The entries directly after `after`. Empty only if `after` is the head. */
  async readPage(roomId: string, after: Position): Promise<EntriesAfter> {
    try {
      const read = await this.#reader.read(roomId, after);
      this.#watched.get(roomId)?.room.remember(after, read.entries);
      return read;
    } catch (error) {
      if (error instanceof UnknownEntryError) this.#reportUnknown(error);
      throw error;
    }
  }

  /** Runs `work` when it is its turn: a crowd that executed all at once would wait for connections until they time out. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T> = pLimit(maxExecutions);

  /** Runs `work` with retries while it is wanted: see Retry.run. */
  retry<T>(work: () => Promise<T>, wanted: () => boolean): Promise<T> {
    return this.#retry.run(work, wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#checks[Symbol.dispose]();
  }

  #watch(roomId: string): Watched {
    const wanted = () => watched.watchers > 0;
    const room = new LiveRoom(
      roomId,
      {
        readPage: (after) => this.retry(() => this.readPage(roomId, after), wanted),
        readHead: async () => (await this.retry(() => this.#source.readHeads([roomId]), wanted)).get(roomId),
      },
      this.#counts,
      this.#clock,
    );
    const watched: Watched = { room, subscribed: this.#bus.subscribe(roomId, (entry) => room.receive(entry)), watchers: 0 };
    this.#watched.set(roomId, watched);
    return watched;
  }

  #unwatch(watched: Watched): void {
    const { roomId } = watched.room;
    // A room that failed may have been replaced meanwhile.
    if (this.#watched.get(roomId) === watched) this.#watched.delete(roomId);
    watched.subscribed.then(
      (unsubscribe) => unsubscribe(),
      () => {},
    );
  }

  #reportUnknown({ entry }: UnknownEntryError): void {
    if (this.#unknownTypes.has(entry.unknownType)) return;
    this.#unknownTypes.add(entry.unknownType);
    this.#log.error(entry, 'a newer version wrote an entry of a type that this version does not know: upgrade this node');
  }

  async #checkHeads(): Promise<void> {
    const rooms = [...this.#watched.values()].map(({ room }) => room);
    for (let from = 0; from < rooms.length; from += roomsPerCheck) {
      const some = rooms.slice(from, from + roomsPerCheck);
      try {
        await this.retry(
          () => this.#checkHeadsOf(some),
          () => !this.#closed,
        );
      } catch (error) {
        // This node cannot find entries that the bus lost. Another node may.
        if (!this.#closed) for (const room of some) room.fail(error);
      }
    }
  }

  async #checkHeadsOf(rooms: readonly LiveRoom[]): Promise<void> {
    // The state before the query. A head that moves during the query has not been rolled back.
    const then = rooms.map((room) => ({ room, known: room.known }));
    const stored = await this.#source.readHeads(rooms.map(({ roomId }) => roomId));
    for (const { room, known } of then) room.applyHead(known, stored.get(room.roomId));
  }
}
