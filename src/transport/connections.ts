// Every connection of this node. It counts the bytes that wait at all of them, does their periodic work, and ends them when
// the node stops. A connection that fails is destroyed, and the work for the others continues.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Viewer } from '../chat/identity.ts';
import { isExpired } from '../chat/token.ts';
import { type Clock, every, realClock } from '../clock.ts';
import { GaplessError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Bounds, Connection, checksToStall, type NodeState } from './connection.ts';
import { ReadRate } from './read-rate.ts';

// A healthy client has no bytes waiting here: the kernel accepts each write at once, and buffers megabytes before it refuses
// more.
const defaultBounds: Bounds = {
  highWaterMarkBytes: 64 * 1024,
  maxBytes: 1024 * 1024,
  maxNodeBytes: 256 * 1024 * 1024,
  maxLargeBytes: 64 * 1024 * 1024,
  stalledMs: 30_000,
  pingMs: 12_000,
  operationsPerSecond: 20,
  operationBurst: 60,
};

/** Interval of the periodic work. A connection may outlive its token by this long, and by the tolerance of clocks. */
const tickMs = 1000;
/** A stop ends connections in waves: this much time for each connection, and at most `endAllMs` for all. */
const endEachMs = 10;
const endAllMs = 5000;
const waveMs = 100;

export class Connections implements Disposable {
  readonly #nodeState: NodeState;
  readonly #known = new WeakMap<Duplex, Connection>();
  readonly #open = new Set<Connection>();
  readonly #timers: readonly Disposable[];
  #draining = false;
  #ending = false;

  /** `rateLimits` multiplies how often a client may send. */
  constructor(log: Log, bounds: Partial<Bounds> = {}, clock: Clock = realClock, rateLimits = 1) {
    const operationsPerSecond = defaultBounds.operationsPerSecond * rateLimits;
    const operationBurst = defaultBounds.operationBurst * rateLimits;
    this.#nodeState = {
      bounds: { ...defaultBounds, operationsPerSecond, operationBurst, ...bounds },
      log,
      clock,
      reads: new ReadRate(clock),
      waitingBytes: 0,
      backpressured: 0,
      stalled: 0,
    };
    const { stalledMs, pingMs } = this.#nodeState.bounds;
    const checkProgress = () => this.#forEach((connection) => connection.checkProgress());
    this.#timers = [
      every(clock, stalledMs / checksToStall, checkProgress),
      every(clock, Math.min(tickMs, pingMs), () => this.#tick(clock.now())),
    ];
  }

  /** Adds a connection that a server has accepted. */
  readonly add = (stream: Socket): void => {
    const connection = new Connection(this.#nodeState, stream);
    this.#known.set(stream, connection);
    this.#open.add(connection);
    stream.on('close', () => {
      this.#open.delete(connection);
      connection.counted?.close();
      connection.measure();
    });
  };

  /** The connection that a request came in on. */
  of(stream: Duplex): Connection {
    return this.#known.get(stream) as Connection;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counters for operators: bytes that wait now; and since the start, waits of subscriptions and clients that stalled. */
  get counts() {
    const { waitingBytes, backpressured, stalled } = this.#nodeState;
    return { waitingBytes, backpressured, stalled };
  }

  /** Whether the node is about to stop: each answer has `Connection: close`, so that the next request reaches another node. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether the node is stopping: WebSockets and event streams end, and no new ones start. */
  get ending(): boolean {
    return this.#ending;
  }

  drain(): void {
    this.#draining = true;
  }

  /** The ids of the users who have a WebSocket or an event stream open. */
  viewerIds(): Set<string> {
    const ids = new Set<string>();
    for (const { use } of this.#open) if (use?.viewer) ids.add(use.viewer.userId);
    return ids;
  }

  /** Ends every WebSocket (4403) and event stream (UNAUTHENTICATED) of these users, whose rows were deleted. */
  endViewers(userIds: ReadonlySet<string>): void {
    this.endWhere(({ userId }) => userIds.has(userId), userGone());
  }

  /** Ends every WebSocket (4403) and event stream (UNAUTHENTICATED) of the viewers for whom `ended` is true. */
  endWhere(ended: (viewer: Viewer) => boolean, reason: GaplessError): void {
    this.#forEach(({ use }) => {
      if (use?.viewer && ended(use.viewer)) use.revoke?.(reason);
    });
  }

  /**
   * Ends every WebSocket and event stream. They end in waves unless `now`: clients that all came back at once would
   * overload the next node.
   */
  async end({ now }: { now: boolean }): Promise<void> {
    this.#ending = true;
    const used = [...this.#open].filter(({ use }) => use !== undefined);
    const eachMs = now ? 0 : Math.min(endEachMs, endAllMs / used.length);
    await Promise.all(
      used.map(async (connection, index) => {
        const wave = Math.floor((index * eachMs) / waveMs);
        if (wave > 0) await this.#nodeState.clock.sleep(wave * waveMs);
        try {
          await connection.use?.end();
        } catch (error) {
          connection.fail(error);
        }
      }),
    );
  }

  /**
   * Disconnects a client that floods the node, and its other connections that could do the same next: several hundred of them
   * would block the event loop for seconds, because what has been read from a connection cannot be dropped unparsed.
   */
  readonly disconnectFlooding = (stream: Socket): void => {
    const flooding = this.of(stream);
    const { peer } = flooding;
    flooding.disconnectStalled();
    for (const connection of this.#open) if (connection.peer === peer && connection.unproven) connection.destroy();
  };

  /** Destroys all connections, or those that have never sent a byte, which Node does not count as idle. */
  destroy(which: 'all' | 'unused'): void {
    for (const connection of this.#open) if (which === 'all' || connection.unused) connection.destroy();
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }

  #tick(nowMs: number): void {
    this.#forEach(({ use }) => {
      if (use?.viewer && isExpired(use.viewer.expiresAt)) use.revoke?.(tokenExpired());
      else use?.tick?.(nowMs);
    });
  }

  #forEach(work: (connection: Connection) => void): void {
    for (const connection of this.#open) {
      try {
        work(connection);
      } catch (error) {
        connection.fail(error);
      }
    }
  }
}

const tokenExpired = () => new GaplessError('UNAUTHENTICATED', 'The token has expired: get a new one.');
const userGone = () => new GaplessError('UNAUTHENTICATED', 'The user of this token no longer exists: sign in again.');
