// One WebSocket of the load. It implements the protocol on a bare socket, because a client library would spend more on a
// frame than the fastest server does.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encodeFrame, encodeText, FrameParser, opcodes } from './frames.ts';
import { localAddressOf } from './limits.ts';

export interface Address {
  readonly port: number;
  readonly path: string;
  readonly subprotocol?: string | undefined;
}

/** The read buffer of all connections. Each read is parsed before the next one begins. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);
/** The answer to Engine.IO's ping, which is a text of one byte (https://socket.io/docs/v4/engine-io-protocol/#heartbeat). */
const enginePong = encodeText('3');

export class Connection {
  readonly #socket: Socket;
  readonly #parser: FrameParser;
  readonly #opened = Promise.withResolvers<void>();
  #head: Buffer | undefined = Buffer.alloc(0);
  #closing = false;
  #end: Error | undefined;
  #onText: (text: string) => void = () => {};
  #onCount: (atMs: number) => void = () => {};
  #readAtMs = 0;
  /** Called if the connection ends without `destroy`. */
  onLost: (error: Error) => void = () => {};

  private constructor(address: Address) {
    this.#parser = new FrameParser({ frame: (opcode, length, payload) => this.#onFrame(opcode, length, payload) });
    const onread = { buffer: shared, callback: (count: number) => this.#read(shared.subarray(0, count)) };
    this.#socket = connect({ port: address.port, host: '127.0.0.1', noDelay: true, onread, ...localAddressOf() });
    this.#socket.on('error', (error) => this.#lost(error)).on('close', () => this.#lost(new Error('The server closed a connection.')));
    this.#socket.write(handshakeOf(address));
  }

  /** Opens a connection. Texts go to `read` and `nextText` until `count` is called. */
  static async open(address: Address): Promise<Connection> {
    const connection = new Connection(address);
    await connection.#opened.promise;
    return connection;
  }

  /** Throws if the connection was lost. */
  send(text: string): void {
    if (this.#end) throw this.#end;
    this.#socket.write(encodeText(text));
  }

  /** Calls `onText` with each text from now on. */
  read(onText: (text: string) => void): void {
    this.#parser.reading = true;
    this.#onText = onText;
  }

  /** The next text that satisfies the condition. Throws if the connection is lost before. */
  nextText(satisfies: (text: string) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      this.onLost = reject;
      this.read((text) => {
        if (satisfies(text)) resolve(text);
      });
      if (this.#end) reject(this.#end);
    });
  }

  /** Counts texts from now on without reading them. `onCount` gets the time of arrival, as `performance.now()`. */
  count(onCount: (atMs: number) => void): void {
    this.#parser.reading = false;
    this.#onCount = onCount;
  }

  /** Drops the connection, like a network failure. */
  destroy(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): boolean {
    this.#readAtMs = performance.now();
    if (this.#head === undefined) this.#parser.parse(bytes);
    else this.#readHead(Buffer.concat([this.#head, bytes]));
    return true;
  }

  #readHead(head: Buffer): void {
    const end = head.indexOf('\r\n\r\n');
    this.#head = end < 0 ? head : undefined;
    if (end < 0) return;
    if (head.toString('latin1', 0, statusLength) !== 'HTTP/1.1 101') {
      this.#lost(new Error(`The server refused a WebSocket: ${head.toString('utf8', 0, 500)}`));
      return;
    }
    this.#opened.resolve();
    this.#parser.parse(head.subarray(end + 4));
  }

  #onFrame(opcode: number, length: number, payload: Buffer | undefined): void {
    if (opcode === opcodes.text) {
      if (length === 1) this.#socket.write(enginePong);
      else if (payload === undefined) this.#onCount(this.#readAtMs);
      else this.#onText(payload.toString());
    } else if (opcode === opcodes.ping) this.#socket.write(encodeFrame(opcodes.pong, payload as Buffer));
    else if (opcode === opcodes.close) this.#lost(new Error(`The server closed a WebSocket: ${describeClose(payload as Buffer)}`));
  }

  #lost(error: Error): void {
    if (this.#closing) return;
    this.#end = error;
    this.destroy();
    this.#opened.reject(error);
    this.onLost(error);
  }
}

const describeClose = (payload: Buffer) =>
  payload.length < 2 ? 'no reason given' : `${payload.readUInt16BE()} ${payload.toString('utf8', 2)}`;

const statusLength = 'HTTP/1.1 101'.length;

const handshakeOf = ({ port, path, subprotocol }: Address) =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    '\r\n',
  ].join('\r\n');
