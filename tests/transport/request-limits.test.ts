// How long a request may take to arrive, and what the edge of HTTP answers to requests that are not for it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { requestLimits } from '../../src/app.ts';
import { EventStream } from '../support/event-stream.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { ask, createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

/** Everything that the server sends until it closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk)).on('error', () => {});
  await once(socket, 'close');
  return text;
}

describe('a request that does not end', () => {
  let server: Server;
  const limits = { headersMs: 300, requestMs: 1200, checkMs: 50 };
  before(async () => {
    server = await startServer({ requestLimits: limits });
  });
  after(() => server[Symbol.asyncDispose]());
  const open = (text: string) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(text);
    return socket;
  };

  it('may take 10 s for its headers and 30 s in total', () => {
    assert.deepEqual(requestLimits, { headersMs: 10_000, requestMs: 30_000, checkMs: 1000 });
  });

  it('is answered with 408 if its headers do not arrive in time, even if they arrive byte by byte', async () => {
    const from = performance.now();
    const slow = open('GET /health HTTP/1.1\r\nHost: localhost\r\nX: ');
    const drip = setInterval(() => slow.write('x'), 20);
    const answers = await Promise.all([untilClosed(slow), untilClosed(open('GET /graphql HT'))]);
    clearInterval(drip);
    for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*Connection: close/i);
    assert.ok(performance.now() - from < limits.requestMs);
  });

  it('is answered with 408 if its body does not arrive in time, even if it arrives byte by byte', async () => {
    const from = performance.now();
    const slow = open('POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{');
    const drip = setInterval(() => slow.write(' '), 20);
    const answer = await untilClosed(slow);
    clearInterval(drip);
    assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*Connection: close/i);
    assert.ok(performance.now() - from >= limits.requestMs);
  });

  it('does not end event streams and WebSockets, which go on after that time', async () => {
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using stream = await EventStream.watch(ada, { roomId });
    using socket = await RawSocket.signedIn(server.url, ada.token);
    assert.match(
      await untilClosed(open('POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{')),
      /408/,
    );
    await ada.send(roomId, 'Still here');
    assert.equal((await stream.nextMessage()).body, 'Still here');
    assert.equal((await socket.ask('1', '{ __typename }')).type, 'next');
  });
});

describe('a request for another protocol', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const send = async (head: string, body = '') => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(`${head}\r\nHost: localhost\r\n\r\n${body}`);
    const text = String((await once(socket, 'data'))[0]);
    socket.destroy();
    return text;
  };
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA';

  it('is answered over HTTP', async () => {
    const body = JSON.stringify({ query: '{ __typename }' });
    for (const upgrade of [h2c, 'Connection: Upgrade\r\nUpgrade: TLS/1.3', 'Connection: Upgrade\r\nUpgrade: foo, h2c']) {
      assert.match(await send(`GET /health HTTP/1.1\r\n${upgrade}`), /^HTTP\/1\.1 200 OK[\s\S]*"status":"ok"/);
      const post = `POST /graphql HTTP/1.1\r\n${upgrade}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
      assert.match(await send(post, body), /^HTTP\/1\.1 200 OK[\s\S]*"__typename":"Query"/);
    }
  });
});

describe('the headers of an answer', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());

  it('forbid browsers to guess its type', async () => {
    for (const path of ['/', '/graphql', '/graphql?query={__typename}', '/health', '/ready', '/nothing', '/assets/x.js', '/%']) {
      const { headers } = await fetch(new URL(path, server.url), { headers: { accept: '*/*' } });
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    }
  });

  it('forbid caches to keep what GraphQL answers, and refusals', async () => {
    const query = `${server.url}?query={__typename}`;
    const { origin } = new URL(server.url);
    for (const url of [query, `${server.url}?query={nothing}`, server.url, `${origin}/assets/x.js`, `${origin}/health`]) {
      assert.equal((await fetch(url, { headers: { accept: 'application/json' } })).headers.get('cache-control'), 'no-store', url);
    }
    const post = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{__typename}"}',
    });
    assert.equal(post.headers.get('cache-control'), 'no-store');
  });
});

describe('a client that pipelines requests behind an event stream', () => {
  it('is cut off, so that no answer waits uncounted', async () => {
    await using server = await startServer();
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const head = `Host: localhost\r\nAuthorization: Bearer ${ada.token}\r\n`;
    const query = encodeURIComponent(`subscription { messageAdded(roomId: "${roomId}") { number } }`);
    const client = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
    let text = '';
    client.on('data', (chunk) => (text += chunk));
    client.write(`GET /graphql?query=${query} HTTP/1.1\r\n${head}Accept: text/event-stream\r\n\r\n`);
    await until('the stream is open', () => text.includes('id: '));
    client.write(`GET /health HTTP/1.1\r\n${head}\r\n`);
    await once(client, 'close');
    await until('nobody watches', () => server.app.liveRooms.size === 0);
  });
});

describe('a client that pipelines operations', () => {
  it('has them executed one after the other, and all answered', async () => {
    await using place = await createPlace('PostgreSQL');
    await using server = await startServer({ env: place.env });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const body = JSON.stringify({ query: `{ room(id: "${roomId}") { name } }` });
    const head = `POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ada.token}\r\nContent-Type: application/json`;
    const client = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    client.on('data', (chunk) => (text += chunk));
    await using lock = await Lock.take(place.env['DATABASE_URL'] as string, 'lock table rooms in access exclusive mode');
    client.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`.repeat(5));
    await until('the first one waits', async () => (await lock.waiting()) > 0);
    await fetch(new URL('/health', server.url));
    assert.equal(await lock.waiting(), 1);
    await lock.release();
    await until('all are answered', () => text.split('"name":"Room"').length === 6);
    client.destroy();
  });
});

describe('the bodies of requests', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());
  const head = 'POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n';
  const open = (text: string) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(text);
    return socket;
  };

  it('may come in many parts, but not byte by byte', async () => {
    const query = JSON.stringify({ query: `{ viewer { id } } # ${'x'.repeat(2000)}` });
    const chunked = (size: number) =>
      (query.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
    const start = `${head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n`;
    assert.match(await untilClosed(open(`${start}${chunked(4)}0\r\n\r\n`)), /^HTTP\/1.1 200 /);
    assert.equal(await untilClosed(open(`${start}${chunked(1)}`)), '');
  });

  it('have 32 MiB together: more large ones are refused, and small ones are answered', async () => {
    const sockets = range(1, 256).map(() => open(`${head}content-length: 131072\r\n\r\n${'x'.repeat(131_000)}`));
    const refusal = async () => {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ viewer { id } }', extensions: { filling: 'x'.repeat(100_000) } }),
      });
      return response.status;
    };
    await until('a large body is refused', async () => (await refusal()) === 503);
    assert.deepEqual((await ask(server.url, undefined, '{ viewer { id } }')).data, { viewer: null });
    for (const socket of sockets) socket.destroy();
    await until('a large body is read again', async () => (await refusal()) === 200);
  });
});
