// One connection, and the bytes that wait in it for the client to read. Writers look at `full` before they write, so a
// client that stops reading costs a bounded number of bytes, and is disconnected if it reads nothing for `stalledMs`.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Viewer } from '../chat/identity.ts';
import type { Clock } from '../clock.ts';
import type { GaplessError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { MessageRateBounds } from './message-rate.ts';
import type { ReadRate } from './read-rate.ts';
import { flushNow, flushSoon } from './turn.ts';

export interface Bounds extends MessageRateBounds {
  /** Bytes that may wait at one connection before its subscriptions pause. They continue when it has drained. */
  readonly highWaterMarkBytes: number;
  /** Bytes that may wait at one connection, answers to requests included, before nothing more is read from it. */
  readonly maxBytes: number;
  /**
   * Bytes that may wait at all connections together. Above it, each connection with anything waiting counts as full. Large
   * results wait for half of it at most, so that they leave space for small ones.
   */
  readonly maxNodeBytes: number;
  /** Bytes that may wait before a large result is refused, if that is less: it also takes memory while it is read and encoded. */
  readonly maxLargeBytes: number;
  /** How long bytes may wait at a connection while its client reads none of them. */
  readonly stalledMs: number;
  /** Interval of the pings to a WebSocket's client, and of the comments in an event stream. */
  readonly pingMs: number;
}

/**
 * Checks in a row without progress after which a client has stalled. Counted in checks, not in time, so that a paused
 * process does not disconnect its clients.
 */
export const checksToStall = 10;

/** State that all connections of the node share. */
export interface NodeState {
  readonly bounds: Bounds;
  readonly log: Log;
  readonly clock: Clock;
  readonly reads: ReadRate;
  /** Bytes that wait at all connections together. */
  waitingBytes: number;
  /** How often subscriptions had to wait for a client. */
  backpressured: number;
  /** How many clients were disconnected because they read nothing, did not answer pings, or sent requests without waiting. */
  stalled: number;
}

/** Where bytes go: the TCP socket itself, or the object that frames them for it. */
export interface Outlet {
  /** Writes a latin1 string, one character for each byte. Calls `done` once the kernel has the bytes, or they are discarded. */
  write(bytes: string, encoding: 'latin1', done: () => void): unknown;
}

/** What a connection is used for, if that outlasts the answer to a request: a WebSocket or an event stream. */
export interface Use {
  /** The viewer that it authenticates. Undefined for a client without a token. */
  readonly viewer?: Viewer | undefined;
  /** Its periodic work, about once a second. `nowMs` is the time of the connection's clock. */
  tick?(nowMs: number): void;
  /** Disconnects a client that has stalled. Without this method, the connection is destroyed. */
  stall?(): void;
  /** Ends it because the token of the viewer is no longer valid. The client has to authenticate again. */
  revoke?(reason: GaplessError): void;
  /** Ends it when the node stops, so that its client reconnects to another node. */
  end(): Promise<void> | void;
}

export class Connection {
  readonly #nodeState: NodeState;
  readonly #stream: Socket;
  /** Bytes that are written at the end of this turn of the event loop. */
  #outgoing = '';
  #waitingBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #progress: readonly (number | undefined)[] = [];
  #checksWithoutProgress = 0;
  #held = false;
  #hasRequested = false;
  /** The last request whose body comes in chunks. */
  #chunked: IncomingMessage | undefined;
  outlet: Outlet;
  /** Undefined while there are only requests. */
  use: Use | undefined;
  /** What counts the connection until it is closed. Undefined for one that is not a WebSocket. */
  counted: { close(): void } | undefined;

  constructor(nodeState: NodeState, stream: Socket) {
    this.#nodeState = nodeState;
    this.#stream = stream;
    this.outlet = stream;
  }

  /** Whether subscriptions have to wait. */
  get full(): boolean {
    return this.#held ? !this.#stream.destroyed : this.#holds(this.bounds.highWaterMarkBytes);
  }

  /** Counts as full until `release`: subscriptions deliver nothing, and no query or mutation starts. Answers are still written. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.measure();
  }

  /** Whether nothing more may be read from the client, since its answers would have to wait too. */
  get saturated(): boolean {
    return this.#holds(this.bounds.maxBytes);
  }

  /** Whether a result of this size may wait at this connection. False for a large one if much waits at the node already. */
  accepts(bytes: number): boolean {
    const { waitingBytes, bounds } = this.#nodeState;
    return bytes <= bounds.highWaterMarkBytes || waitingBytes + bytes <= Math.min(bounds.maxNodeBytes / 2, bounds.maxLargeBytes);
  }

  get bounds(): Bounds {
    return this.#nodeState.bounds;
  }

  get clock(): Clock {
    return this.#nodeState.clock;
  }

  /** How fast each client is read. */
  get reads(): ReadRate {
    return this.#nodeState.reads;
  }

  /** Whether no bytes wait. */
  get idle(): boolean {
    return this.#bytes === 0;
  }

  /** Whether it is a WebSocket or an event stream, so that no request on it can be answered. */
  get streams(): boolean {
    return this.outlet !== this.#stream;
  }

  /** Whether the client has never sent a byte. */
  get unused(): boolean {
    return this.#stream.bytesRead === 0;
  }

  /** The address that it came from: that of a client, or of a proxy. */
  get peer(): string | undefined {
    return this.#stream.remoteAddress;
  }

  /** Whether its client could send a flood of parts next: it has sent no request yet, or is sending a body in chunks. */
  get unproven(): boolean {
    return !this.#hasRequested || this.#chunked?.complete === false;
  }

  /** Called with each request on it. */
  receive(request: IncomingMessage): void {
    this.#hasRequested = true;
    this.#chunked = request.headers['transfer-encoding'] === undefined ? undefined : request;
  }

  /** Writes a latin1 string, together with everything else that is written in this turn of the event loop. */
  write(bytes: string): void {
    if (this.#outgoing === '') flushSoon(this);
    this.#outgoing += bytes;
    this.#waitingBytes += bytes.length;
    this.#nodeState.waitingBytes += bytes.length;
    if (this.#outgoing.length >= this.#limit(this.bounds.highWaterMarkBytes)) flushNow(this);
  }

  /** Writes what `write` has collected. Called when the turn ends, and before anything is written to the socket directly. */
  flush(): void {
    if (this.#outgoing === '') return;
    const bytes = this.#outgoing;
    this.#outgoing = '';
    this.outlet.write(bytes, 'latin1', this.measure);
    this.measure();
  }

  /**
   * Resolves when the connection may have capacity again, or is closed. Waiters continue in the order in which they came, and
   * the first may fill the connection again: wait in a loop, and await nothing between the check and the write.
   */
  drained(): Promise<void> {
    if (this.#drained === undefined && this.full) this.#nodeState.backpressured += 1;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Counts the bytes that wait. Called after each write, and again when the kernel has accepted the bytes. */
  readonly measure = (): void => {
    const bytes = this.#bytes;
    this.#nodeState.waitingBytes += bytes - this.#waitingBytes;
    this.#waitingBytes = bytes;
    if (this.full) return;
    this.#drained?.resolve();
    this.#drained = undefined;
  };

  /** Checks whether the client has read any bytes since the last check. */
  checkProgress(): void {
    this.measure();
    const progress = this.#readProgress();
    if (this.idle || progress.some((figure, i) => figure !== this.#progress[i])) {
      this.#progress = progress;
      this.#checksWithoutProgress = 0;
      return;
    }
    this.#checksWithoutProgress += 1;
    if (this.#checksWithoutProgress === checksToStall) this.disconnectStalled();
  }

  /** Disconnects a client that reads no bytes, does not answer pings, or sends requests without waiting for answers. */
  disconnectStalled(): void {
    this.#nodeState.stalled += 1;
    if (this.use?.stall) this.use.stall();
    else this.destroy();
  }

  /** Destroys the connection after an unforeseen error. Its client reconnects and resumes. */
  fail(error: unknown): void {
    this.#nodeState.log.error({ error }, 'a connection failed and was destroyed');
    this.destroy();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #holds(bytes: number): boolean {
    return this.#bytes >= this.#limit(bytes);
  }

  #limit(bytes: number): number {
    return this.#nodeState.waitingBytes < this.bounds.maxNodeBytes ? bytes : 1;
  }

  get #bytes(): number {
    return this.#stream.destroyed ? 0 : this.#outgoing.length + this.#stream.writableLength;
  }

  // Two figures: the bytes of completed writes, and what is left of the current one. A slow client may need minutes for a
  // single large answer, and Node exposes the rest of a write only through the internal handle.
  #readProgress() {
    const { bytesWritten, writableLength, _handle } = this.#stream as Socket & { _handle?: { writeQueueSize?: number } };
    return [bytesWritten - writableLength, _handle?.writeQueueSize];
  }
}
