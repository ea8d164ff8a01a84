// The clients of attacks: requests over HTTP, WebSockets of graphql-transport-ws, and bare TCP connections.

import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Tally, Target } from './attack.ts';

/** The address of attackers. That of the loopback interface has no limits. */
export const attackerHeaders = { 'x-forwarded-for': '203.0.113.9' };
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

export type Variables = Record<string, unknown>;

/** Posts an operation, counts the outcome, and returns the body. */
export async function post(
  target: Target,
  tally: Tally,
  token: string | undefined,
  query: string,
  variables: Variables = {},
): Promise<string> {
  try {
    const { status, text } = await send(target, token, JSON.stringify({ query, variables }));
    tally.count(nameOf(text, status));
    tally.atLeast('answer bytes', Buffer.byteLength(text));
    return text;
  } catch (error) {
    tally.count((error as { code?: string }).code ?? 'closed');
    return '';
  }
}

function send({ url }: Target, token: string | undefined, body: string): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = {
    ...attackerHeaders,
    ...bearer(token),
    'content-type': 'application/json',
    accept: 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const sent = request(url, { method: 'POST', agent, headers }, (response) => {
    const chunks: Buffer[] = [];
    response
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      .on('error', reject);
  });
  sent.on('error', reject).end(body);
  return promise;
}

export const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/** The code of an answer's first error, or its status. */
export function nameOf(text: string, status = 200): string {
  return /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? (status === 200 ? 'answered' : `HTTP ${status}`);
}

/** A WebSocket that counts what the server sends. */
export class AttackSocket {
  readonly #socket: WebSocket;
  readonly #tally: Tally;
  readonly #answers = new Map<string, () => void>();

  private constructor(socket: WebSocket, tally: Tally) {
    this.#socket = socket;
    this.#tally = tally;
    socket.on('error', () => {});
    socket.on('message', (data) => this.#receive(String(data)));
    socket.once('close', (code) => {
      tally.count(`closed ${code}`);
      for (const resolve of this.#answers.values()) resolve();
    });
  }

  /** Undefined if the server refuses it. */
  static async open(target: Target, tally: Tally, token?: string): Promise<AttackSocket | undefined> {
    const socket = new WebSocket(target.url.replace('http', 'ws'), ['graphql-transport-ws'], { headers: attackerHeaders });
    const opened = new AttackSocket(socket, tally);
    try {
      await once(socket, 'open');
      opened.send({ type: 'connection_init', payload: bearer(token) });
      await once(socket, 'message');
      return opened;
    } catch {
      tally.count('socket refused');
      return undefined;
    }
  }

  /** Opens as many as the server lets it. */
  static async openMany(
    target: Target,
    tally: Tally,
    count: number,
    tokenOf: (index: number) => string | undefined,
  ): Promise<AttackSocket[]> {
    const opened = await Promise.all(Array.from({ length: count }, (_, index) => AttackSocket.open(target, tally, tokenOf(index))));
    return opened.filter((socket) => socket !== undefined);
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** The TCP connection. */
  get stream(): Socket {
    return (this.#socket as unknown as { _socket: Socket })._socket;
  }

  send(message: object | string): void {
    if (this.open) this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables: Variables = {}, more: object = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables, ...more } });
  }

  /** Resolves with the end of the operation, or of the socket. */
  ask(id: string, query: string, variables?: Variables): Promise<void> {
    if (!this.open) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answers.set(id, resolve);
    this.subscribe(id, query, variables);
    return promise;
  }

  /** Stops reading. */
  pause(): void {
    this.stream?.pause();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(text: string): void {
    const [, id = '', type = ''] = /^\{"id":"([^"]*)","type":"(\w+)"/.exec(text.slice(0, 200)) ?? [];
    if (type === 'next' || type === 'error') {
      this.#tally.count(nameOf(text.slice(0, 2000)));
      this.#tally.atLeast('answer bytes', text.length);
    }
    if (type !== 'error' && type !== 'complete') return;
    this.#answers.get(id)?.();
    this.#answers.delete(id);
  }
}

/** A TCP connection. Undefined if it is refused. It never emits an error. */
export async function openTcp({ port }: Target): Promise<Socket | undefined> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined;
  }
}

export async function openTcps(target: Target, count: number): Promise<Socket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openTcp(target)));
  return sockets.filter((socket) => socket !== undefined);
}

/** The text of a POST of an operation. */
export function postText(token: string | undefined, body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: '127.0.0.1',
    'content-type': 'application/json',
    ...attackerHeaders,
    ...bearer(token),
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  return `POST /graphql HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${body}`;
}

/** Runs `work` again and again in several loops, until the signal is aborted. */
export async function inLoops(loops: number, signal: AbortSignal, work: (loop: number, round: number) => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: loops }, async (_, loop) => {
      for (let round = 0; !signal.aborted; round += 1) {
        await Promise.race([work(loop, round), ended(signal)]);
        await sleep(0);
      }
    }),
  );
}

/** Resolves when the signal is aborted. */
export async function ended(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
