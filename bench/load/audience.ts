// Watchers: connections with one subscription each. Deliveries are counted and not stored.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import { Connection } from './connection.ts';
import type { Histogram } from './histogram.ts';
import { inParallel } from './parallel.ts';
import type { Protocol, Token } from './protocol.ts';

/** Concurrent handshakes. */
const openAtOnce = 50;
/** If nothing arrives for this time, nothing is under way. */
const quietMs = 300;

export interface Seat {
  readonly room: string;
  readonly token: Token;
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
  /** Deliveries to all watchers since the last reset. */
  received = 0;
  /** Called when `received` reaches `callAt`. */
  onReceived: () => void = () => {};
  callAt = Number.POSITIVE_INFINITY;
  /** Records delays. The nth message that a watcher receives was sent at `sentAtMs[n]`. */
  delays: { readonly sentAtMs: readonly number[]; readonly histogram: Histogram } | undefined;
  #lost: Error | undefined;

  /** Opens a connection with a subscription for each seat, `atOnce` at a time. */
  static async open(port: number, protocol: Protocol, seats: readonly Seat[], atOnce = openAtOnce): Promise<Audience> {
    const audience = new Audience();
    await inParallel(seats, atOnce, (seat) => audience.#add(port, protocol, seat));
    return audience;
  }

  get size(): number {
    return this.#watchers.length;
  }

  /** Rooms in which a watcher has received fewer than `count` messages. */
  roomsWithout(count: number): Set<string> {
    return new Set(this.#watchers.filter(({ received }) => received < count).map(({ seat }) => seat.room));
  }

  /** Resolves when all watchers together have received `count`. Throws on a timeout or a lost connection. */
  async untilReceived(count: number, timeoutMs: number): Promise<void> {
    const arrived = () => {
      this.check();
      return this.received >= count;
    };
    await until(`${count} deliveries have arrived`, arrived, timeoutMs);
  }

  /** Resolves when nothing arrives any more. */
  async untilQuiet(): Promise<void> {
    for (let before = -1; before !== this.received; await sleep(quietMs)) before = this.received;
    this.check();
  }

  /** Resets the counters. Call it only while nothing is under way. */
  reset(): void {
    this.received = 0;
    this.callAt = Number.POSITIVE_INFINITY;
    for (const watcher of this.#watchers) watcher.received = 0;
  }

  /** Throws if a connection was lost. */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  /** Drops all connections. */
  [Symbol.dispose](): void {
    for (const { connection } of this.#watchers) connection.destroy();
  }

  async #add(port: number, protocol: Protocol, seat: Seat): Promise<void> {
    const connection = await Connection.open({ port, path: protocol.path, subprotocol: protocol.subprotocol });
    const watcher: Watcher = { connection, seat, received: 0 };
    this.#watchers.push(watcher);
    await protocol.authenticate(connection, seat.token);
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
