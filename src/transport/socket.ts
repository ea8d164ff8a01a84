// One client's WebSocket: its frames, its pings, and how it ends. There may be a hundred thousand of them, so none has a timer
// of its own.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Viewer } from '../chat/identity.ts';
import type { GaplessError } from '../errors.ts';
import type { OpenSocket } from '../limits/open-sockets.ts';
import type { Log } from '../log.ts';
import { toClientError } from '../schema/error-code.ts';
import type { Connection, Outlet, Use } from './connection.ts';
import { textFrame, toBytes } from './encode.ts';
import { MessageRate } from './message-rate.ts';
import { type MessageSocket, Operations } from './operations.ts';

/** A client that has left this many pings in a row unanswered is disconnected when the next one is due. */
const maxUnansweredPings = 2;
/** How long queries and mutations may take to finish when the server stops. A mutation is answered within 5 seconds. */
const finishMs = 5000;
/** How long queries and mutations may take to finish when the token is no longer valid. signOut itself may be one of them. */
const answerMs = 500;
/** The longest reason that a close frame can carry. */
const maxReasonBytes = 123;

/**
 * Why the server closes a socket: a code and a reason. graphql-ws adds its own codes from 4400 on, for what the client did
 * wrong. Every other failure is 1013: stock clients of graphql-ws treat 1011 as final, and failures of the server are not.
 */
export const closings = {
  restart: [1012, 'Service restart'],
  tryAgain: [1013, 'Try again later'],
  /** The viewer has too many sockets open. */
  tooMany: [1013, 'Too many sockets: try again later'],
  /** The viewer's token has expired, or the viewer is gone. */
  forbidden: [4403, 'Forbidden'],
  /** The viewer's session was signed out, here or elsewhere. */
  signedOut: [4403, 'Signed out'],
} as const;

export class ClientSocket implements Use, Outlet, MessageSocket {
  readonly #socket: WebSocket;
  readonly #stream: Outlet;
  readonly #log: Log;
  #ending = false;
  #revoking = false;
  #unansweredPings = 0;
  #pingAtMs: number;
  readonly connection: Connection;
  readonly rate: MessageRate;
  readonly operations = new Operations(this);
  /** The viewer from the handshake. connection_init and renewToken may replace it. */
  viewer: Viewer | undefined;
  /** What limits know of it. */
  readonly openSocket: OpenSocket;
  /** The Viewer.id that the handshake was meant for, if it named one. */
  readonly intendedViewerId: unknown;

  constructor(
    socket: WebSocket,
    connection: Connection,
    viewer: Viewer | undefined,
    log: Log,
    openSocket: OpenSocket,
    intendedViewerId?: unknown,
  ) {
    this.#socket = socket;
    this.openSocket = openSocket;
    this.intendedViewerId = intendedViewerId;
    this.connection = connection;
    this.viewer = viewer;
    this.rate = new MessageRate(connection.bounds, connection.clock);
    this.#log = log;
    this.#stream = connection.outlet;
    connection.outlet = this;
    connection.use = this;
    this.#pingAtMs = connection.clock.now() + connection.bounds.pingMs;
    // ws answers pings by itself.
    socket.on('ping', () => {
      this.#countMessage();
      this.#limitReading();
    });
    socket.on('pong', () => {
      this.#countMessage();
      this.#unansweredPings = 0;
    });
    socket.on('close', () => this.operations.cancelAll());
  }

  get open(): boolean {
    return this.writable && !this.#ending;
  }

  get writable(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Has graphql-ws handle the messages of the client. The socket is closed if that fails. */
  onMessage(handle: (message: string) => Promise<void>): void {
    const onFailure = (error: unknown) => {
      // Logs it, unless the database was away.
      toClientError(error, this.#log);
      if (this.open) this.close(...closings.tryAgain);
    };
    const handleSafely = (message: string) => handle(message).catch(onFailure);
    this.#socket.on('message', (data) => {
      if (!this.writable) return;
      this.#countMessage((data as Buffer).length);
      this.operations.receive(String(data), handleSafely);
    });
  }

  refuse(id: string, error: GaplessError): void {
    this.send(JSON.stringify({ id, type: 'error', payload: [toClientError(error, this.#log)] }));
  }

  /** Writes a message of graphql-ws. */
  send(message: string): void {
    if (!this.writable) return;
    this.connection.write(textFrame(toBytes(message)));
    this.#limitReading();
  }

  /** Writes frames, unless ws has sent its close frame: nothing may follow that. */
  write(frames: string, encoding: 'latin1', done: () => void): void {
    if (this.writable) this.#stream.write(frames, encoding, done);
  }

  close(code: number, reason: string): void {
    this.connection.flush();
    this.#socket.close(code, Buffer.byteLength(reason) > maxReasonBytes ? '' : reason);
    this.operations.cancelAll();
    // The client's close frame has to be read, even if reading is paused.
    this.#socket.resume();
  }

  /** Closes it so that the client reconnects to another node, as soon as its queries and mutations are answered. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.race([this.operations.finished(), sleep(finishMs, undefined, { ref: false })]);
    // graphql-ws writes the last answers in this turn of the event loop. After the close frame they would be lost.
    await setImmediate();
    this.close(...closings.restart);
  }

  stall(): void {
    this.close(...closings.tryAgain);
  }

  revoke({ reason }: GaplessError): void {
    if (!this.#revoking && this.writable) void this.#revoke(reason === 'SIGNED_OUT' ? closings.signedOut : closings.forbidden);
  }

  /** Delivers nothing more to subscriptions, and closes the socket once its answers are written, unless it got a new token. */
  async #revoke(closing: readonly [number, string]): Promise<void> {
    const { viewer } = this;
    this.#revoking = true;
    this.connection.hold();
    await Promise.race([this.operations.finished(), sleep(answerMs, undefined, { ref: false })]);
    // graphql-ws writes the last answers in this turn of the event loop.
    await setImmediate();
    this.#revoking = false;
    if (this.viewer === viewer) this.close(...closing);
    else this.connection.release();
  }

  /** Pings. Not needed while bytes wait: reading them shows that the client is alive. */
  tick(nowMs: number): void {
    if (nowMs < this.#pingAtMs) return;
    this.#pingAtMs = nowMs + this.connection.bounds.pingMs;
    if (this.connection.idle) this.#ping();
  }

  #ping(): void {
    if (this.#unansweredPings === maxUnansweredPings) this.connection.disconnectStalled();
    else this.#socket.ping();
    this.#unansweredPings += 1;
  }

  /** Stops reading for a while from a client that floods the socket. */
  #countMessage(bytes = 0): void {
    const client = this.viewer?.userId ?? this.openSocket.address ?? '';
    const pauseMs = Math.max(this.rate.countMessage(bytes), this.connection.reads.count(client, bytes));
    if (pauseMs === 0 || this.#socket.isPaused) return;
    this.#socket.pause();
    this.connection.clock.after(pauseMs, () => void this.#resumeReading());
  }

  /** Stops reading from a client that sends requests but does not read the answers, until it reads them. */
  #limitReading(): void {
    this.connection.measure();
    if (this.#socket.isPaused || !this.connection.saturated) return;
    this.#socket.pause();
    void this.#resumeReading();
  }

  /** Reads again as soon as the client has read its answers. */
  async #resumeReading(): Promise<void> {
    while (this.connection.saturated) await this.connection.drained();
    this.#socket.resume();
  }
}
