// A keep-alive HTTP/1.1 connection with one request at a time. Node's own clients cost the load several times as much.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { readResponse } from './http-response.ts';

export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #answer: PromiseWithResolvers<string> | undefined;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#host = `127.0.0.1:${port}`;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', (error) => this.#answer?.reject(error));
    socket.on('close', () => this.#answer?.reject(closed()));
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new HttpConnection(socket, port);
  }

  /** Posts JSON and resolves with the body of the answer. Throws if the status is not 200 or the connection is lost. */
  async post(path: string, json: string, token?: string): Promise<string> {
    if (this.#socket.destroyed) throw closed();
    this.#answer = Promise.withResolvers();
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
    this.#socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n${authorization}Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
    );
    return this.#answer.promise;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const response = readResponse(this.#received);
    if (response === undefined) return;
    this.#received = Buffer.alloc(0);
    if (response.status === 200) this.#answer?.resolve(response.body);
    else this.#answer?.reject(new Error(`The server answered ${response.status}: ${response.body.slice(0, 500)}`));
  }
}

const closed = () => new Error('The server closed an HTTP connection.');
