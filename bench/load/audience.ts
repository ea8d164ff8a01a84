// Those who watch: connections with one subscription each, of which nothing is kept but how much they have received.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import { Connection } from './connection.ts';
import type { Histogram } from './histogram.ts';
import { inParallel } from './parallel.ts';
import type { Protocol, Ticket } from './protocol.ts';

/** Handshakes under way at once. */
const openAtOnce = 50;
/** When nothing has come for so long, nothing is under way any more. */
const quietMs = 300;

export interface Seat {
  readonly room: string;
  readonly ticket: Ticket;
  /** The cursor to resume from. */
  readonly after?: string | undefined;
}

interface Watcher {
  readonly connection: Connection;
  readonly seat: Seat;
  received: number;
}

export class Audience implements Disposable {
  readonly #watchers: Watcher[] = [];
  /** What all have received together since the last reset. */
  received = 0;
  /** Called when `received` has come to `callAt`. */
  onReceived: () => void = () => {};
  callAt = Number.POSITIVE_INFINITY;
  /** Where delays go: the nth message that a watcher receives was sent at `sentAtMs[n]`. */
  delays: { readonly sentAtMs: readonly number[]; readonly histogram: Histogram } | undefined;
  #lost: Error | undefined;

  /** Connects and subscribes one connection for each seat, `atOnce` at a time. */
  static async open(port: number, protocol: Protocol, seats: readonly Seat[], atOnce = openAtOnce): Promise<Audience> {
    const audience = new Audience();
    await inParallel(seats, atOnce, (seat) => audience.#seat(port, protocol, seat));
    return audience;
  }

  get size(): number {
    return this.#watchers.length;
  }

  /** Rooms in which somebody has received fewer than `count`. */
  roomsWithout(count: number): Set<string> {
    return new Set(this.#watchers.filter(({ received }) => received < count).map(({ seat }) => seat.room));
  }

  /** Resolves when all together have received `count`. Throws where that is not so in time, or a connection was lost. */
  async untilReceived(count: number, timeoutMs: number): Promise<void> {
    const arrived = () => {
      this.check();
      return this.received >= count;
    };
    await until(`${count} deliveries have come`, arrived, timeoutMs);
  }

  /** Resolves when nothing comes any more. */
  async untilQuiet(): Promise<void> {
    for (let before = -1; before !== this.received; await sleep(quietMs)) before = this.received;
    this.check();
  }

  /** Counts from zero again. To be called while nothing is under way. */
  reset(): void {
    this.received = 0;
    this.callAt = Number.POSITIVE_INFINITY;
    for (const watcher of this.#watchers) watcher.received = 0;
  }

  /** Throws where a connection was lost. */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  /** Cuts all of them off. */
  [Symbol.dispose](): void {
    for (const { connection } of this.#watchers) connection.destroy();
  }

  async #seat(port: number, protocol: Protocol, seat: Seat): Promise<void> {
    const connection = await Connection.open({ port, path: protocol.path, subprotocol: protocol.subprotocol });
    const watcher: Watcher = { connection, seat, received: 0 };
    this.#watchers.push(watcher);
    await protocol.greet(connection, seat.ticket);
    await protocol.subscribe(connection, seat.room, seat.after);
    connection.onLost = (error) => (this.#lost ??= error);
    connection.count((atMs) => this.#receive(watcher, atMs));
  }

  #receive(watcher: Watcher, atMs: number): void {
    this.delays?.histogram.add(atMs - (this.delays.sentAtMs[watcher.received] as number));
    watcher.received += 1;
    this.received += 1;
    if (this.received >= this.callAt) this.onReceived();
  }
}
