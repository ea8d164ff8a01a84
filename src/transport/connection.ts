// One connection, and what waits at it for its client to read. Those who write measure, and wait while it is full: so a
// client that stops reading costs a bounded number of bytes, and is let go when it takes nothing for a while.

import type { Socket } from 'node:net';
import { flushSoon } from './turn.ts';

export interface Bounds {
  /** What may wait at one connection before its streams ask for no further event. They go on from their cursors once it drains. */
  readonly enoughBytes: number;
  /** What may wait at one connection together with answers, which no stream paces, before nothing more is read from it. */
  readonly maxBytes: number;
  /** What may wait at all of them together. From then on each that has anything waiting has enough. */
  readonly maxNodeBytes: number;
  /** How long a connection may have something waiting without its client taking any of it. */
  readonly stalledMs: number;
  /** How often a WebSocket's client is asked for a sign of life. */
  readonly pingMs: number;
}

/** Checks in a row that find no progress until a client has stalled. Checks and not a clock: a node that was paused blames nobody. */
export const checksToStall = 10;

/** What waits at all connections of the node together. */
export interface Backlog {
  readonly bounds: Bounds;
  waitingBytes: number;
  /** How often streams had to wait for a client. */
  heldUp: number;
  /** How many clients were let go because they took nothing, or did not answer. */
  stalled: number;
}

/** Where bytes go: the connection itself, or what frames them for it. */
export interface Outlet {
  /** Writes bytes, one for each character. Calls `done` once the kernel has them, or they are of no use any more. */
  write(bytes: string, encoding: 'latin1', done: () => void): unknown;
}

/** What goes on over a connection for longer than it takes to answer a request. */
export interface Use {
  /** Looks after it, every second or so: the token of its client may have expired, or its client gone without a word. */
  attend?(nowMs: number): void;
  /** Lets go a client that has stalled. Without this it is cut off. */
  stall?(): void;
  /** Ends it when the node stops, so that its client goes on at another. */
  end(): Promise<void> | void;
}

export class Connection {
  readonly #node: Backlog;
  readonly #stream: Socket;
  /** What is to be written at the end of this turn of the event loop. */
  #outgoing = '';
  #waitingBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #progress: readonly (number | undefined)[] = [];
  #checksWithoutProgress = 0;
  outlet: Outlet;
  /** Undefined where there is nothing but requests. */
  use: Use | undefined;

  constructor(node: Backlog, stream: Socket) {
    this.#node = node;
    this.#stream = stream;
    this.outlet = stream;
  }

  /** Whether so much waits that streams are to wait as well. */
  get full(): boolean {
    return this.#holds(this.bounds.enoughBytes);
  }

  /** Whether so much waits that its client is to ask for nothing more. */
  get overfull(): boolean {
    return this.#holds(this.bounds.maxBytes);
  }

  get bounds(): Bounds {
    return this.#node.bounds;
  }

  /** Whether nothing waits. */
  get idle(): boolean {
    return this.#bytes === 0;
  }

  get unused(): boolean {
    return this.#stream.bytesRead === 0;
  }

  /** Writes bytes, one for each character, together with what else is written in this turn of the event loop. */
  write(bytes: string): void {
    if (this.#outgoing === '') flushSoon(this);
    this.#outgoing += bytes;
    this.#waitingBytes += bytes.length;
    this.#node.waitingBytes += bytes.length;
    if (this.full) this.flush();
  }

  /** Writes what has yet to be. To be called before anything is written past this connection, and when the turn ends. */
  flush(): void {
    if (this.#outgoing === '') return;
    const bytes = this.#outgoing;
    this.#outgoing = '';
    this.outlet.write(bytes, 'latin1', this.measure);
    this.measure();
  }

  /**
   * Resolves when the connection is not full any more, or closed. Those who wait go on in the order in which they came, and
   * whoever goes on first may fill it again: to be asked in a loop, with nothing awaited between that and the write.
   */
  drained(): Promise<void> {
    if (this.#drained === undefined) this.#node.heldUp += 1;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Counts what waits. To be called after each write, and again when it is done. */
  readonly measure = (): void => {
    const bytes = this.#bytes;
    this.#node.waitingBytes += bytes - this.#waitingBytes;
    this.#waitingBytes = bytes;
    if (this.full) return;
    this.#drained?.resolve();
    this.#drained = undefined;
  };

  /** Looks whether the client has taken anything since the last time. */
  check(): void {
    this.measure();
    const progress = this.#readProgress();
    if (this.idle || progress.some((figure, i) => figure !== this.#progress[i])) {
      this.#progress = progress;
      this.#checksWithoutProgress = 0;
      return;
    }
    this.#checksWithoutProgress += 1;
    if (this.#checksWithoutProgress === checksToStall) this.giveUp();
  }

  /** Lets go a client that takes nothing, or does not answer. */
  giveUp(): void {
    this.#node.stalled += 1;
    if (this.use?.stall) this.use.stall();
    else this.destroy();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #holds(bytes: number): boolean {
    return this.#bytes >= (this.#node.waitingBytes < this.bounds.maxNodeBytes ? bytes : 1);
  }

  get #bytes(): number {
    return this.#stream.destroyed ? 0 : this.#outgoing.length + this.#stream.writableLength;
  }

  // What writes have been done, and what is left of the one that is under way: Node says so to nobody but its own
  // timeouts, and a slow client may need minutes for a single large answer.
  #readProgress() {
    const { bytesWritten, writableLength, _handle } = this.#stream as Socket & { _handle?: { writeQueueSize?: number } };
    return [bytesWritten - writableLength, _handle?.writeQueueSize];
  }
}
