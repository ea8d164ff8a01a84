// Every connection of this node: what waits at all of them is counted here, and here they end when the node stops.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backlog, type Bounds, Connection, checksToStall } from './connection.ts';

// A healthy client has nothing waiting: the kernel takes what is written at once, and megabytes of it before it stops.
const defaultBounds: Bounds = {
  enoughBytes: 64 * 1024,
  maxBytes: 1024 * 1024,
  maxNodeBytes: 256 * 1024 * 1024,
  stalledMs: 30_000,
  pingMs: 12_000,
};

/** How often connections are looked after: by so much a token may outlive its end. */
const attendMs = 1000;
/** Where a stop ends connections in waves: so much time for each of them, but no more than this for all. */
const endEachMs = 10;
const endAllMs = 5000;
const waveMs = 100;

export class Connections implements Disposable {
  readonly #backlog: Backlog;
  readonly #known = new WeakMap<Duplex, Connection>();
  readonly #open = new Set<Connection>();
  readonly #timers: readonly NodeJS.Timeout[];
  #draining = false;
  #ending = false;

  constructor(bounds: Partial<Bounds> = {}) {
    this.#backlog = { bounds: { ...defaultBounds, ...bounds }, waitingBytes: 0, heldUp: 0, stalled: 0 };
    const { stalledMs, pingMs } = this.#backlog.bounds;
    const check = () => {
      for (const connection of this.#open) connection.check();
    };
    const attend = () => {
      const nowMs = Date.now();
      for (const { use } of this.#open) use?.attend?.(nowMs);
    };
    this.#timers = [setInterval(check, stalledMs / checksToStall), setInterval(attend, Math.min(attendMs, pingMs))];
    for (const timer of this.#timers) timer.unref();
  }

  /** Takes in a connection that a server has accepted. */
  readonly add = (stream: Socket): void => {
    const connection = new Connection(this.#backlog, stream);
    this.#known.set(stream, connection);
    this.#open.add(connection);
    stream.once('close', () => {
      this.#open.delete(connection);
      connection.measure();
    });
  };

  /** The connection that a request came in by. */
  of(stream: Duplex): Connection {
    return this.#known.get(stream) as Connection;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Bytes that wait now; and since the start, how often streams had to wait for a client, and how many clients were let go. */
  get counts() {
    const { bounds: _, ...counts } = this.#backlog;
    return counts;
  }

  /** The node is about to stop: clients are asked to come by another connection next time, and by that to another node. */
  get draining(): boolean {
    return this.#draining;
  }

  /** The node stops: streams end, and none begins. */
  get ending(): boolean {
    return this.#ending;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Ends what goes on over each, in waves unless `now`: clients that all came back at once would be a burden to the next node. */
  async end({ now }: { now: boolean }): Promise<void> {
    this.#ending = true;
    const ongoing = [...this.#open].filter(({ use }) => use !== undefined);
    const eachMs = now ? 0 : Math.min(endEachMs, endAllMs / ongoing.length);
    await Promise.all(
      ongoing.map(async (connection, index) => {
        const wave = Math.floor((index * eachMs) / waveMs);
        if (wave > 0) await sleep(wave * waveMs);
        await connection.use?.end();
      }),
    );
  }

  /** Cuts all of them, or those by which nothing was ever asked: Node does not count them as idle. */
  destroy(which: 'all' | 'unused'): void {
    for (const connection of this.#open) if (which === 'all' || connection.unused) connection.destroy();
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
