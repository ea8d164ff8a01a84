// Operations over HTTP: GET, POST and event streams, with the headers, cookies and origins that clients have and have not.

import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { pick } from '../../support/random.ts';
import type { Guest } from '../../support/server.ts';
import type { Operation } from '../documents.ts';
import { type Exchange, giveUpMs, listenMs } from '../exchange.ts';
import type { Scene } from '../scene.ts';

const accepts = [
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'text/event-stream',
  'text/event-stream, */*;q=0.1',
  'text/html',
  'image/png',
  'a/b;q=0',
  ',;q=,,*/*;q=2',
  'x'.repeat(4000),
];
const contentTypes = [
  'application/json',
  'application/json; charset=utf-16',
  'application/graphql',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  ';',
  '',
];

export function overHttp(scene: Scene, operation: Operation, random: () => number): Exchange {
  const guest = scene.guest();
  const { query, variables } = operation;
  const headers: Record<string, string | string[]> = {
    accept: pick(accepts, random),
    ...credentials(guest, scene, random),
    ...oddHeaders(guest, random),
  };
  if (random() < 0.25) {
    const search = new URLSearchParams({ query: query.slice(0, 6000), variables: JSON.stringify(variables).slice(0, 3000) });
    if (random() < 0.2)
      search.set(pick(['operationName', 'extensions', 'session', 'query'], random), pick(['Named', '{', 'graphiql', ''], random));
    return exchange({ operation, guest, method: 'GET', path: `?${search}`, headers });
  }
  headers['content-type'] = random() < 0.8 ? 'application/json' : pick(contentTypes, random);
  const body = bodyOf(operation, random);
  if (random() < 0.05) headers['content-encoding'] = pick(['gzip', 'br', 'x'], random);
  const bytes = headers['content-encoding'] === 'gzip' ? gzipSync(body) : Buffer.from(body);
  return exchange({ operation, guest, method: 'POST', path: '', headers, pieces: piecesOf(bytes, random) });
}

function bodyOf({ query, variables }: Operation, random: () => number): string {
  const whole = { query, variables };
  const chance = random();
  if (chance < 0.8) return JSON.stringify(whole);
  if (chance < 0.83) return JSON.stringify([whole, whole]);
  if (chance < 0.86) return JSON.stringify(whole).slice(0, Math.floor(random() * 200));
  if (chance < 0.89) return new URLSearchParams({ query }).toString();
  const more = { operationName: pick([null, 'Named', 'x', 1, {}], random), extensions: pick([null, {}, [], 1, { x: [[[]]] }], random) };
  return JSON.stringify({ ...whole, ...more, ...(random() < 0.2 ? { variables: pick([null, [], 'x', 1], random) } : {}) });
}

/** Most bodies arrive whole. */
function piecesOf(bytes: Buffer, random: () => number): Buffer[] {
  if (random() < 0.85) return [bytes];
  const at = Math.floor(random() * bytes.length);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

function credentials(guest: Guest, scene: Scene, random: () => number): Record<string, string | string[]> {
  const chance = random();
  if (chance < 0.75) return { authorization: `Bearer ${guest.token}` };
  if (chance < 0.8)
    return { authorization: pick(['Bearer x', 'Bearer', 'Basic x', '', `Bearer ${scene.token()}`, `Bearer ${'x'.repeat(5000)}`], random) };
  const port = new URL(guest.url).port;
  const cookie = `gapless_token_${port}=${guest.token}`;
  return {
    cookie: pick(
      [
        cookie,
        `${cookie}; ${cookie}`,
        'gapless_token=%',
        `;=;${cookie}`,
        `__Host-gapless_token_443=x; ${cookie}`,
        `gapless_token=${scene.token()}`,
      ],
      random,
    ),
  };
}

function oddHeaders(guest: Guest, random: () => number): Record<string, string> {
  if (random() < 0.6) return {};
  const { host } = new URL(guest.url);
  const odd: [string, string][] = [
    ['origin', `http://${host}`],
    ['origin', 'null'],
    ['origin', 'http://evil.example'],
    ['origin', `https://${host}`],
    ['origin', 'x'.repeat(3000)],
    ['sec-fetch-site', pick(['cross-site', 'same-site', 'none', 'x'], random)],
    ['gapless-viewer', pick([guest.viewerId, 'x', ''], random)],
    ['last-event-id', pick(['complete', 'x', '', '💥'], random)],
    ['x-forwarded-for', pick(['1.2.3.4', '::1', 'x, y', ','.repeat(500)], random)],
    ['x-forwarded-proto', pick(['https', 'http', 'x'], random)],
    ['host', pick([host, 'evil.example', '[', 'localhost:99999'], random)],
    ['accept-encoding', pick(['gzip', 'br;q=0, *', '*;q=0'], random)],
    ['if-none-match', pick(['*', '"x"', 'W/"'], random)],
    ['expect', '100-continue'],
  ];
  return Object.fromEntries(
    Array.from({ length: pick([1, 2, 5], random) }, () => pick(odd, random)).map(([name, value]) => [
      name,
      Buffer.from(value).toString('latin1'),
    ]),
  );
}

interface Sent {
  readonly operation: Operation;
  readonly guest: Guest;
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string | string[]>;
  readonly pieces?: readonly Buffer[];
}

function exchange(sent: Sent): Exchange {
  const { operation, guest, method, path, headers, pieces = [] } = sent;
  return {
    what: `${method} ${path} ${JSON.stringify(headers)} ${pieces.join('|')}`,
    operations: [operation],
    run: () => textOf(`${guest.url}${path}`, { method, headers }, pieces),
  };
}

function textOf(
  url: string,
  options: { method: string; headers: Record<string, string | string[]> },
  pieces: readonly Buffer[],
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sending = request(url, { ...options, agent: false, signal: AbortSignal.timeout(giveUpMs) }, (response) => {
    let text = `${response.statusCode} `;
    response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    // A stream is left after a while. Everything else ends.
    const isStream = response.headers['content-type']?.startsWith('text/event-stream');
    const timer = isStream ? setTimeout(() => response.destroy(), listenMs) : undefined;
    response
      .once('error', () => {})
      .once('close', () => {
        clearTimeout(timer);
        resolve(text);
      });
  });
  // The server may refuse a request while its body is on the way.
  sending.once('error', (error) =>
    error.name === 'AbortError' || error.name === 'TimeoutError' ? reject(error) : resolve(`0 ${error.message}`),
  );
  const [first, ...others] = pieces;
  if (first) sending.write(first);
  if (others.length === 0) sending.end();
  else setTimeout(() => sending.end(Buffer.concat(others)), 10);
  return promise;
}
