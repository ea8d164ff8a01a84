// One client's WebSocket: what goes out over it, no faster than the client reads; what is under way on it; how it ends.

import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Viewer } from '../chat/identity.ts';
import { GaplessError } from '../errors.ts';
import type { ResultStream } from '../schema/execute.ts';
import type { Connection } from './connection.ts';
import { encode } from './encode.ts';

/** A client is given up when so many pings in a row have not been answered by the next. */
const pingsToMiss = 2;
/** How long queries and mutations may still take when the server stops. A change is answered within 5 seconds. */
const finishMs = 5000;

/** Why the server ends a socket. graphql-ws adds its own, from 4400 on. */
export const closeCodes = {
  /** The server stops: come back, another node answers. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The token has expired. graphql-ws says the same of one that is bad. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** Nobody foresaw it; it is logged. */
  internal: { code: 1011, reason: 'Internal server error' },
  /** Who it is cannot be found out just now, or it reads nothing: come back. */
  unavailable: { code: 1013, reason: 'Try again later' },
} as const;

export class ClientSocket {
  readonly #socket: WebSocket;
  readonly #connection: Connection;
  /** Queries and mutations. */
  readonly #running = new Set<Promise<unknown>>();
  #ending = false;
  /** Who the handshake's own header or cookie names. connection_init may name another. */
  viewer: Viewer | undefined;

  constructor(socket: WebSocket, connection: Connection, viewer: Viewer | undefined) {
    this.#socket = socket;
    this.#connection = connection;
    this.viewer = viewer;
    connection.onStalled = () => this.close(closeCodes.unavailable);
    connection.onEnd = () => this.#end();
    // ws answers pings by itself.
    socket.on('ping', () => this.#heed());
    this.#keepAlive();
  }

  /** Whether what the client says is still heard. */
  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#ending;
  }

  /** Calls `handle` with each message. */
  onMessage(handle: (message: string) => void): void {
    // What was begun now could not be answered any more. The client asks again, once it is back.
    this.#socket.on('message', (data) => this.open && handle(String(data)));
  }

  onceClosed(listener: (code: number, reason: string) => void): void {
    this.#socket.once('close', (code, reason) => listener(code, String(reason)));
  }

  /** Writes at once. What is no answer to the client waits for room before. */
  send(message: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(message, this.#connection.measure);
    this.#heed();
  }

  /**
   * The stream, writing its results by itself, and handing on nothing but its end: graphql-ws would encode each one again
   * for every subscriber, and they differ in nothing but the id.
   */
  written(id: string, results: ResultStream): ResultStream {
    const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    let returned = false;
    const stream: ResultStream = {
      ...results,
      next: async () => {
        for (;;) {
          while (this.#connection.full) await this.#connection.drained();
          // Whoever is being closed is read nothing more for.
          if (this.#socket.readyState !== this.#socket.OPEN) return results.return();
          const { done, value } = await results.next();
          if (done) return { done, value };
          // Others on this socket may have filled it meanwhile: a thousand that all had their next event would be a thousand too many.
          while (this.#connection.full) await this.#connection.drained();
          if (!returned) this.send(`${head}${encode(value)}}`);
        }
      },
      return: () => {
        returned = true;
        return results.return();
      },
      [Symbol.asyncIterator]: () => stream,
    };
    return stream;
  }

  /** Runs a query or mutation, once the client has read what it asked for before. */
  async run<Result>(operation: () => Promise<Result>): Promise<Result> {
    while (this.#connection.full) await this.#connection.drained();
    if (!this.open) throw new GaplessError('UNAVAILABLE', 'The socket is closed.');
    const running = operation();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  close({ code, reason }: { code: number; reason: string }): void {
    this.#socket.close(code, reason);
    // Its own close is to be read, even if nothing else is.
    this.#socket.resume();
  }

  /** Has the client go on elsewhere, as soon as what is under way has been answered. */
  async #end(): Promise<void> {
    this.#ending = true;
    if (this.#running.size > 0) {
      await Promise.race([Promise.allSettled(this.#running), new Promise((resolve) => setTimeout(resolve, finishMs).unref())]);
      // What has just been worked out is written in this turn of the event loop. Behind the close, it would be lost.
      await setImmediate();
    }
    this.close(closeCodes.restart);
  }

  /** A client that goes on asking and reads no answers is not heard until it does. */
  #heed(): void {
    this.#connection.measure();
    if (this.#socket.isPaused || !this.#connection.overfull) return;
    this.#socket.pause();
    void this.#connection.drained().then(() => this.#socket.resume());
  }

  /** Pings, and gives up a client that does not answer. One at which something waits shows by that whether it lives. */
  #keepAlive(): void {
    let unanswered = 0;
    this.#socket.on('pong', () => {
      unanswered = 0;
    });
    const timer = setInterval(() => {
      if (!this.#connection.idle) return;
      if (unanswered === pingsToMiss) return this.#connection.giveUp();
      unanswered += 1;
      this.#socket.ping();
    }, this.#connection.bounds.pingMs);
    timer.unref();
    this.#socket.once('close', () => clearInterval(timer));
  }
}
