// A bare WebSocket to the server. Tests see every frame, without a client library in between.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { GraphQLFormattedError } from 'graphql';
import { WebSocket } from 'ws';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: data, errors or nothing, by type
  readonly payload?: any;
}

/** An error as a frame of type `error` carries it. */
export type FrameError = GraphQLFormattedError & { extensions: { code: string } };

export class RawSocket {
  readonly #socket: WebSocket;
  readonly #frames: Frame[] = [];
  #wake: () => void = () => {};
  /** The close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })));
    socket.on('message', (data) => {
      this.#frames.push(JSON.parse(String(data)) as Frame);
      this.#wake();
    });
    socket.on('error', () => {});
  }

  /** Opens a socket. Rejects if the upgrade is refused. `url` is the GraphQL endpoint. */
  static async open(url: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}): Promise<RawSocket> {
    const socket = new WebSocket(url.replace('http', 'ws'), options.protocols ?? ['graphql-transport-ws'], { headers: options.headers });
    const raw = new RawSocket(socket);
    await once(socket, 'open');
    return raw;
  }

  /** Opens a socket and sends `connection_init`. Resolves once that is acknowledged. */
  static async signedIn(url: string, token?: string): Promise<RawSocket> {
    const raw = await RawSocket.open(url);
    raw.send({ type: 'connection_init', ...(token === undefined ? {} : { payload: { authorization: `Bearer ${token}` } }) });
    const { type } = await raw.next();
    if (type !== 'connection_ack') throw new Error(`The server answered ${type} to connection_init.`);
    return raw;
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: object | string | Buffer): void {
    this.#socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  /** Sends the messages in one packet, so that the server reads them in one turn. */
  sendTogether(messages: readonly object[]): void {
    const { _socket: stream } = this.#socket as unknown as { _socket: Socket };
    stream.cork();
    for (const message of messages) this.send(message);
    stream.uncork();
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  /** The next frame. Rejects if the socket closes first. */
  async next(): Promise<Frame> {
    while (this.#frames.length === 0) {
      const woken = new Promise<undefined>((resolve) => (this.#wake = () => resolve(undefined)));
      const closed = await Promise.race([woken, this.closed]);
      if (closed && this.#frames.length === 0) throw new Error(`The socket was closed with ${closed.code} ${closed.reason}.`);
    }
    return this.#frames.shift() as Frame;
  }

  /** Runs one operation to its end and returns its first frame, whatever its type. */
  async ask(id: string, query: string, variables?: Record<string, unknown>): Promise<Frame> {
    this.subscribe(id, query, variables);
    const frame = await this.next();
    if (frame.type === 'next') await this.next();
    return frame;
  }

  /** Stops reading until `resume`. The kernel still buffers some megabytes. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.close();
  }

  /** Drops the connection without a close frame, like a network failure. */
  terminate(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
