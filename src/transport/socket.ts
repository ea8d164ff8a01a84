// One client's WebSocket: what goes out over it, no faster than the client reads; what is under way on it; how it ends.
// There may be a hundred thousand of them, so what can be shared is: no timer and hardly a closure is one socket's own.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Viewer } from '../chat/identity.ts';
import { GaplessError } from '../errors.ts';
import type { Sink } from '../feed/delivery.ts';
import type { Log } from '../log.ts';
import { toClientError } from '../schema/error-code.ts';
import type { Subscription } from '../schema/subscription.ts';
import type { Connection, Outlet, Use } from './connection.ts';
import { encode, textFrame, toBytes } from './encode.ts';

/** A client is given up when so many pings in a row have not been answered by the next. */
const pingsToMiss = 2;
/** How long queries and mutations may still take when the server stops. A change is answered within 5 seconds. */
const finishMs = 5000;

/** Why the server ends a socket: a code and a reason. graphql-ws adds its own, from 4400 on. */
export const closings = {
  /** The server stops: come back, another node answers. */
  restart: [1012, 'Service restart'],
  /** The token has expired. graphql-ws says the same of one that is bad. */
  forbidden: [4403, 'Forbidden'],
  /** Nobody foresaw it; it is logged. */
  internal: [1011, 'Internal server error'],
  /** Who it is cannot be found out just now, or it reads nothing: come back. */
  unavailable: [1013, 'Try again later'],
} as const;

export class ClientSocket implements Use, Outlet {
  readonly #socket: WebSocket;
  readonly #connection: Connection;
  readonly #stream: Outlet;
  readonly #log: Log;
  /** Queries and mutations that are under way. */
  #running = 0;
  #finished: PromiseWithResolvers<void> | undefined;
  #ending = false;
  #unansweredPings = 0;
  #pingAtMs: number;
  /** Who the handshake's own header or cookie names. connection_init may name another. */
  viewer: Viewer | undefined;

  constructor(socket: WebSocket, connection: Connection, viewer: Viewer | undefined, log: Log) {
    this.#socket = socket;
    this.#connection = connection;
    this.viewer = viewer;
    this.#log = log;
    this.#stream = connection.outlet;
    connection.outlet = this;
    connection.use = this;
    this.#pingAtMs = Date.now() + connection.bounds.pingMs;
    // ws answers pings by itself.
    socket.on('ping', () => this.#heed());
    socket.on('pong', () => {
      this.#unansweredPings = 0;
    });
  }

  /** Whether what the client says is still heard. */
  get open(): boolean {
    return this.writable && !this.#ending;
  }

  /** Whether anything may still be said to the client. */
  get writable(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Calls `handle` with each message. Where that fails, the socket is closed. */
  onMessage(handle: (message: string) => Promise<void>): void {
    const onFailure = (error: unknown) => {
      const unavailable = toClientError(error, this.#log).extensions['code'] === 'UNAVAILABLE';
      const [code, reason] = closings[unavailable ? 'unavailable' : 'internal'];
      if (this.open) this.close(code, reason);
    };
    // What was begun now could not be answered any more. The client asks again, once it is back.
    this.#socket.on('message', (data) => this.open && handle(String(data)).catch(onFailure));
  }

  /** Writes an answer. What is none waits for room before. */
  send(message: string): void {
    if (!this.writable) return;
    this.#connection.write(textFrame(toBytes(message)));
    this.#heed();
  }

  /** Writes frames. ws may have said goodbye by itself meanwhile, and after that nothing may be said. */
  write(frames: string, encoding: 'latin1', done: () => void): void {
    if (this.writable) this.#stream.write(frames, encoding, done);
  }

  /** The stream, writing its results by itself, and handing on nothing but its end. */
  written(id: string, results: Subscription): AsyncGenerator<ExecutionResult> {
    return new WrittenResults(this, this.#connection, id, results);
  }

  /** Runs a query or mutation, once the client has read what it asked for before. */
  async run<Result>(operation: () => Promise<Result>): Promise<Result> {
    while (this.#connection.full) await this.#connection.drained();
    if (!this.open) throw new GaplessError('UNAVAILABLE', 'The socket is closed.');
    this.#running += 1;
    try {
      return await operation();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#finished?.resolve();
    }
  }

  close(code: number, reason: string): void {
    this.#connection.flush();
    this.#socket.close(code, reason);
    // Its own close is to be read, even if nothing else is.
    this.#socket.resume();
  }

  /** Has the client go on elsewhere, as soon as what is under way has been answered. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#running > 0) {
      this.#finished = Promise.withResolvers();
      await Promise.race([this.#finished.promise, sleep(finishMs, undefined, { ref: false })]);
      // What has just been worked out is sent in this turn of the event loop. Behind the close, it would be lost.
      await setImmediate();
    }
    this.close(...closings.restart);
  }

  stall(): void {
    this.close(...closings.unavailable);
  }

  /** Lets go whose token has expired, and pings. A client at which something waits shows by that whether it lives. */
  attend(nowMs: number): void {
    if (this.viewer && nowMs >= this.viewer.expiresAt.getTime()) this.close(...closings.forbidden);
    else if (nowMs >= this.#pingAtMs) {
      this.#pingAtMs = nowMs + this.#connection.bounds.pingMs;
      if (this.#connection.idle) this.#ping();
    }
  }

  #ping(): void {
    if (this.#unansweredPings === pingsToMiss) this.#connection.giveUp();
    else this.#socket.ping();
    this.#unansweredPings += 1;
  }

  /** A client that goes on asking and reads no answers is not heard until it does. */
  #heed(): void {
    this.#connection.measure();
    if (this.#socket.isPaused || !this.#connection.overfull) return;
    this.#socket.pause();
    void this.#connection.drained().then(() => this.#socket.resume());
  }
}

/** Results as frames: graphql-ws would encode each one again for every subscriber, and they differ in nothing but the id. */
class WrittenResults implements AsyncGenerator<ExecutionResult>, Sink<ExecutionResult> {
  readonly #socket: ClientSocket;
  readonly #connection: Connection;
  readonly #head: string;
  readonly #results: Subscription;
  #returned = false;

  constructor(socket: ClientSocket, connection: Connection, id: string, results: Subscription) {
    this.#socket = socket;
    this.#connection = connection;
    this.#head = toBytes(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
    this.#results = results;
  }

  get open(): boolean {
    return !this.#returned && this.#socket.writable;
  }

  get ready(): boolean {
    return this.open && !this.#connection.full;
  }

  write(result: ExecutionResult): void {
    this.#connection.write(textFrame(`${this.#head}${encode(result)}}`));
  }

  /** Writes them all. */
  async next(): Promise<IteratorReturnResult<void>> {
    await this.#results.run(this);
    return { done: true, value: undefined };
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.#returned = true;
    this.#results.stop();
    return { done: true, value: undefined };
  }

  async throw(): Promise<IteratorReturnResult<void>> {
    return this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
