// Bytes that resemble HTTP requests: whole, half, in pieces, damaged, and several at once.

import { connect } from 'node:net';
import { pick } from '../../support/random.ts';
import { type Exchange, listenMs } from '../exchange.ts';
import type { Scene } from '../scene.ts';

const methods = ['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PRI', 'x', ''];
const paths = [
  '/graphql',
  '/graphql?query={__typename}',
  '/graphql?query=subscription{messageAdded(roomId:"x"){id}}',
  '/graphql?query=%FF&variables=%7B',
  '/',
  '/health',
  '/ready',
  '/ready/database',
  '/assets/x',
  '/../x',
  '//',
  '/%00',
  '/%',
  '/%2e%2e/%2e%2e/etc/passwd',
  '*',
  'http://x/',
  'http://[/graphql',
  '',
  `/${'x'.repeat(9000)}`,
];
const headerLines = [
  'Host: localhost',
  'Host: ',
  'Host: a, b',
  'Accept: text/event-stream',
  'Accept: text/html',
  'Accept: ,;q=,,*/*;q=2',
  'Accept-Encoding: br, gzip;q=x',
  'Access-Control-Request-Headers: x, \x01, y',
  'Access-Control-Request-Method: POST',
  'Content-Type: application/json',
  'Content-Type: text/plain',
  'Content-Length: 2',
  'Content-Length: 99999999999',
  'Content-Length: -1',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Expect: 100-continue',
  'Expect: x',
  'Connection: Upgrade',
  'Connection: close',
  'Connection: keep-alive, , x',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Version: 8',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Protocol: graphql-transport-ws',
  'Sec-WebSocket-Protocol: ,',
  'Sec-WebSocket-Extensions: permessage-deflate; x="',
  'Cookie: gapless_token=x; gapless_token=%',
  `Cookie: ${'a=b;'.repeat(2000)}`,
  'Authorization: Bearer x',
  'Authorization: x',
  'Origin: null',
  'Origin: http://evil.example',
  'Last-Event-ID: complete',
  'Last-Event-ID: \x7f',
  'Range: bytes=0-0,1-1',
  'If-None-Match: *',
  ' folded',
  'no colon',
  ': no name',
  'X-\xff: \xff',
  `X: ${'x'.repeat(9000)}`,
  `X: ${'x'.repeat(30_000)}`,
];
const bodies = [
  '',
  '{}',
  '[]',
  'null',
  '{"query":"{ viewer { id } }"}',
  '{"query":',
  '5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhel',
  'zz\r\n',
  '\xff\xfe',
  '['.repeat(20_000),
  'x'.repeat(200_000),
];

export function rawHttp(scene: Scene, random: () => number): Exchange {
  const one = () => {
    const lines = Array.from({ length: Math.floor(random() * 8) }, () => pick(headerLines, random));
    const version = `HTTP/${pick(['1.1', '1.1', '1.1', '1.0', '1.2', '2.0', 'x'], random)}`;
    const head = [`${pick(methods, random)} ${pick(paths, random)} ${version}`, ...(random() < 0.9 ? ['Host: localhost'] : []), ...lines];
    return `${head.join(random() < 0.95 ? '\r\n' : '\n')}\r\n\r\n${pick(bodies, random)}`;
  };
  const bytes = damaged(Buffer.from(Array.from({ length: pick([1, 1, 3, 20], random) }, one).join(''), 'latin1'), random);
  const cut = random() < 0.3 ? Math.floor(random() * bytes.length) : bytes.length;
  const end = pick(['close', 'close', 'half close', 'reset', 'the rest'] as const, random);
  return {
    what: `bytes, then ${end} after ${cut} of ${bytes.length}: ${bytes.toString('latin1')}`,
    operations: [],
    run: () => exchangeBytes(scene.url, bytes, cut, end),
  };
}

/** The bytes, of which a few are changed at times. */
function damaged(bytes: Buffer, random: () => number): Buffer {
  if (random() < 0.8) return bytes;
  for (let i = 0; i < 3; i += 1) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  return bytes;
}

async function exchangeBytes(url: string, bytes: Buffer, cut: number, end: 'close' | 'half close' | 'reset' | 'the rest'): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(bytes.subarray(0, cut));
  if (end === 'half close') socket.end();
  if (end === 'the rest') setTimeout(() => socket.write(bytes.subarray(cut)), listenMs / 3);
  const timer = setTimeout(() => (end === 'reset' ? socket.resetAndDestroy() : socket.destroy()), listenMs);
  await closed;
  clearTimeout(timer);
  return text;
}
