// Random traffic for one server: operations over each door, messages and frames of sockets, and HTTP requests. Each call is
// one exchange. It throws what the server should never do.

import { once } from 'node:events';
import { connect } from 'node:net';
import { OperationTypeNode } from 'graphql';
import { WebSocket } from 'ws';
import { pick } from '../support/random.ts';
import type { Guest } from '../support/server.ts';
import type { DocumentFuzzer, Operation } from './documents.ts';

/** How long an exchange may take, apart from what it waits for on purpose. */
export const exchangeMs = 1000;
/** How long a socket or stream is listened to, if nothing else ends it. */
const listenMs = 150;

export type Exchange = () => Promise<string>;

const jsonHeaders = (guest: Guest) => ({ 'content-type': 'application/json', authorization: `Bearer ${guest.token}` });

async function textOf(url: string | URL, init: RequestInit): Promise<string> {
  // A stream is left after a while. Everything else answers before.
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return `${response.status} ${await response.text()}`;
  const reader = response.body?.getReader();
  let text = '';
  const timer = setTimeout(() => void reader?.cancel(), listenMs);
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) break;
    text += Buffer.from(chunk.value);
  }
  clearTimeout(timer);
  return `${response.status} ${text}`;
}

export function overHttp(guest: Guest, operation: Operation, random: () => number): Exchange {
  const { query, variables } = operation;
  const accept = pick(['*/*', 'application/json', 'application/graphql-response+json', 'text/event-stream', 'image/png'], random);
  const headers = { ...jsonHeaders(guest), accept };
  if (random() < 0.8) return () => textOf(guest.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const url = new URL(guest.url);
  url.searchParams.set('query', query.slice(0, 6000));
  url.searchParams.set('variables', JSON.stringify(variables).slice(0, 2000));
  return () => textOf(url, { headers });
}

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PRI', 'x'];
const paths = [
  '/graphql',
  '/',
  '/health',
  '/ready',
  '/ready/database',
  '/assets/x',
  '/../x',
  '//',
  '/%00',
  '/%',
  '*',
  'http://x/',
  '/graphql?query=',
];
const headerLines = [
  'Host: localhost',
  'Host: ',
  'Accept: text/event-stream',
  'Accept: ,;q=,,*/*;q=2',
  'Content-Type: application/json',
  'Content-Type: text/plain',
  'Content-Length: 2',
  'Content-Length: 99999999999',
  'Content-Length: -1',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: graphql-transport-ws',
  'Cookie: gapless_token=x; gapless_token=%',
  'Authorization: Bearer x',
  'Authorization: x',
  'Origin: null',
  'Origin: http://evil.example',
  'Last-Event-ID: complete',
  'Last-Event-ID: \x7f',
  `X: ${'x'.repeat(9000)}`,
];
const bodies = [
  '',
  '{}',
  '[]',
  'null',
  '{"query":"{ viewer { id } }"}',
  '{"query":',
  '5\r\nhello\r\n0\r\n\r\n',
  '\xff\xfe',
  '['.repeat(20_000),
];

/** Bytes that resemble an HTTP request. Listens to the answer for a while. */
export function rawHttp(guest: Guest, random: () => number): Exchange {
  const lines = Array.from({ length: Math.floor(random() * 8) }, () => pick(headerLines, random));
  const bytes = `${pick(methods, random)} ${pick(paths, random)} HTTP/1.${pick([0, 1, 1, 1, 2], random)}\r\n${['Host: localhost', ...lines].join('\r\n')}\r\n\r\n${pick(bodies, random)}`;
  return () => exchangeBytes(guest, Buffer.from(bytes.repeat(pick([1, 1, 3], random)), 'latin1'));
}

async function exchangeBytes({ url }: Guest, bytes: Buffer): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  socket.write(bytes);
  const timer = setTimeout(() => socket.destroy(), listenMs);
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(timer);
  return text;
}

const messages = [
  '{"type":"connection_init"}',
  '{"type":"ping"}',
  '{"type":"pong"}',
  '{"type":"ping","payload":{"x":[[[]]]}}',
  '{"id":"1","type":"complete"}',
  '{"id":"2","type":"complete"}',
  '{"id":"1","type":"next","payload":{}}',
  '{"id":"1","type":"error","payload":[]}',
  '{"type":"connection_ack"}',
  '{"id":"1","type":"subscribe"}',
  '{"id":1,"type":"subscribe","payload":{"query":"{"}}',
  '{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }","extensions":{"x":1}}}',
  '{"type":"toString"}',
  'x',
  '',
  '[]',
  'x'.repeat(70_000),
];

/** A socket on which the guest's operations and random messages follow each other, in one go. Mostly it is acknowledged first. */
export function overSocket(guest: Guest, fuzzer: DocumentFuzzer, random: () => number): Exchange {
  const sent = Array.from({ length: pick([1, 3, 10, 120], random) }, (): string | Buffer => {
    const chance = random();
    if (chance < 0.02) return Buffer.from([255, 0, Math.floor(random() * 256)]);
    if (chance < 0.2) return pick(messages.slice(1, random() < 0.8 ? 6 : undefined), random);
    const { query, variables } = fuzzer.next(random() < 0.3 ? OperationTypeNode.SUBSCRIPTION : undefined);
    return JSON.stringify({
      id: pick(['1', '2', '3', '__proto__', `${random()}`], random),
      type: 'subscribe',
      payload: { query, variables },
    });
  });
  const isAcknowledged = random() < 0.9;
  return async () => {
    const socket = new WebSocket(guest.url.replace('http', 'ws'), 'graphql-transport-ws').on('error', () => {});
    let text = '';
    socket.on('message', (data) => (text += `${data}\n`));
    await once(socket, 'open');
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    if (isAcknowledged) {
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${guest.token}` } }));
      await Promise.race([once(socket, 'message'), closed]);
    }
    for (const message of sent) socket.send(message);
    const timer = setTimeout(() => socket.terminate(), listenMs);
    const code = await closed;
    clearTimeout(timer);
    // 1006 is the test's own terminate.
    if (code === 1011 || code === 1013 || code === 1012) throw new Error(`The socket was closed with ${code}.`);
    return text;
  };
}
