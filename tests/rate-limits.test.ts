// Rate limits of a whole server: what a client is answered, how it goes on, and that Redis does not delay it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import { WebSocket } from 'ws';
import * as gql from './gql/graphql.ts';
import { EventStream } from './support/event-stream.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { type RedisServer, startRedis } from './support/redis.ts';
import { Guest, type Server, startServer } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { range } from './support/storage.ts';

/** The extensions of each error. */
const extensionsOf = ({ errors = [] }: { errors?: readonly { extensions?: unknown }[] | undefined }) =>
  errors.map(({ extensions }) => extensions as { code: string; retryAfterMs: number });

describe('a server with the default rate limits', () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  before(async () => {
    server = cleanup.use(await startServer({ storage: 'PGlite', env: { RATE_LIMITS: '1' } }));
  });
  after(() => cleanup.disposeAsync());

  it('refuses the 31st message in 10 s, keeps the socket, and takes its retry once', async () => {
    const ada = await Guest.signIn(server.url);
    const rooms = await Promise.all(range(1, 7).map(() => ada.createRoom()));
    const socket = await RawSocket.signedIn(server.url, ada.token);
    const send = (id: string, roomId: string, key: string) =>
      socket.ask(id, print(gql.SendMessageDocument), { input: { roomId, body: id, clientMessageId: key } });
    for (const i of range(0, 29)) {
      const { payload } = await send(String(i), rooms[Math.floor(i / 5)] as string, randomUUID());
      assert.equal(payload.errors, undefined);
    }
    const [last] = rooms.slice(-1) as [string];
    const key = randomUUID();
    const [refusal] = extensionsOf((await send('refused', last, key)).payload);
    assert.equal(refusal?.code, 'RATE_LIMITED');
    await sleep(refusal?.retryAfterMs);
    for (const deduplicated of [false, true]) {
      const { payload } = await send('refused', last, key);
      assert.equal(payload.data?.sendMessage.deduplicated, deduplicated, JSON.stringify(payload));
    }
    const { room } = await ada.must(gql.RoomViewDocument, { id: last });
    assert.deepEqual(
      room?.messages.edges.map(({ node }) => node.body),
      ['refused'],
    );
    assert.ok(socket.open);
    socket.close();
  });

  it('refuses the sixth message in a second in one room', async () => {
    const ada = await Guest.signIn(server.url);
    const [one, two] = [await ada.createRoom(), await ada.createRoom()];
    const inOne = await Promise.all(range(1, 6).map((i) => ada.ask(gql.SendMessageDocument, { input: { roomId: one, body: `${i}` } })));
    const refusals = inOne.flatMap(extensionsOf);
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ['RATE_LIMITED'],
    );
    assert.ok((refusals[0]?.retryAfterMs ?? Infinity) < 1100);
    await ada.send(two, 'another room');
  });

  it('counts each alias of an operation', async () => {
    const ada = await Guest.signIn(server.url);
    const fields = range(1, 12).map((i) => `a${i}: createRoom(input: { name: "${i}" }) { room { id } }`);
    const answer = await ada.ask<Record<string, unknown>, object>(`mutation { ${fields.join('\n')} }`);
    assert.deepEqual(
      extensionsOf(answer).map(({ code }) => code),
      ['RATE_LIMITED', 'RATE_LIMITED'],
    );
    assert.equal(Object.values(answer.data ?? {}).filter((created) => created !== null).length, 10);
    const [{ retryAfterMs } = { retryAfterMs: 0 }] = extensionsOf(
      await ada.ask(`mutation { createRoom(input: { name: "13" }) { room { id } } }`),
    );
    assert.ok(retryAfterMs > 0);
  });

  it('counts mutations that open and end sessions among the changes', async () => {
    for (const field of ['createSession(input: {}) { token }', 'signOutEverywhere { token }']) {
      const ada = await Guest.signIn(server.url);
      const fields = range(1, 11).map((i) => `a${i}: ${field}`);
      const codes = extensionsOf(await ada.ask(`mutation { ${fields.join('\n')} }`)).map(({ code }) => code);
      assert.ok(codes.includes('RATE_LIMITED'), field);
    }
  });

  const join = 'mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { membership { id } } }';
  const leave = 'mutation ($roomId: ID!) { leaveRoom(input: { roomId: $roomId }) { roomId } }';
  it('refuses the eleventh join or leave of a room in a minute, but not of another', async () => {
    const ada = await Guest.signIn(server.url);
    const bob = await Guest.signIn(server.url, 'Bob');
    const [roomId, other] = [await ada.createRoom(), await ada.createRoom()];
    const codes = new Set<string | undefined>();
    for (const _ of range(1, 5)) for (const change of [join, leave]) codes.add(await bob.refusal(change, { roomId }));
    assert.deepEqual([...codes], [undefined]);
    await sleep(1100);
    assert.equal(await bob.refusal(join, { roomId }), 'RATE_LIMITED');
    assert.equal(await bob.refusal(join, { roomId: other }), undefined);
  });

  it('does not limit the sign-ins of this machine', async () => {
    for (const _ of range(1, 12)) await Guest.signIn(server.url);
  });
});

describe('the limits of an address', () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  before(async () => {
    server = cleanup.use(await startServer({ storage: 'PGlite', env: { RATE_LIMITS: '1', TRUST_PROXY: '1' } }));
  });
  after(() => cleanup.disposeAsync());

  /** Signs in by way of a proxy that has added `from`. */
  async function signIn(from: string): Promise<string | undefined> {
    const body = JSON.stringify({ query: print(gql.SignInDocument), variables: { name: 'Ada' } });
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': from };
    return extensionsOf((await (await fetch(server.url, { method: 'POST', headers, body })).json()) as object)[0]?.code;
  }

  it('count 10 sign-ins an hour, whatever the client adds before its address', async () => {
    for (const i of range(1, 10)) assert.equal(await signIn(`203.0.113.${i}, 198.51.100.1`), undefined);
    assert.equal(await signIn('203.0.113.99, 198.51.100.1'), 'RATE_LIMITED');
    assert.equal(await signIn('::ffff:198.51.100.1'), 'RATE_LIMITED');
    assert.equal(await signIn('198.51.100.2'), undefined);
  });

  it('count a /64 network of IPv6 as one address, over WebSocket too', async () => {
    for (const i of range(1, 10)) assert.equal(await signIn(`2001:db8:0:7::${i}`), undefined);
    assert.equal(await signIn('2001:db8:0:7:ffff:ffff:ffff:ffff'), 'RATE_LIMITED');
    assert.equal(await signIn('2001:db8:0:8::1'), undefined);
    const socket = await RawSocket.open(server.url, { headers: { 'x-forwarded-for': '2001:db8:0:7::abcd' } });
    socket.send({ type: 'connection_init' });
    await socket.next();
    const { payload } = await socket.ask('1', print(gql.SignInDocument), { name: 'Ada' });
    assert.equal(extensionsOf(payload)[0]?.code, 'RATE_LIMITED');
    socket.close();
  });
});

describe('the limits of open sockets', () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    const limits = { RATE_LIMIT_SOCKETS_OF_USER: '2', RATE_LIMIT_SOCKETS_OF_ADDRESS: '3' };
    server = cleanup.use(await startServer({ storage: 'PGlite', env: { TRUST_PROXY: '1', ...limits } }));
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
  });
  after(() => cleanup.disposeAsync());

  const query = 'subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { body } }';
  /** Opens an event stream with POST, as the client kit does. */
  const post = () =>
    fetch(server.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${ada.token}`, accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { roomId } }),
    });

  it('hold for a WebSocket that signs in: it is closed with 1013', async () => {
    const open = await Promise.all(range(1, 2).map(() => RawSocket.signedIn(server.url, ada.token)));
    const third = await RawSocket.open(server.url);
    third.send({ type: 'connection_init', payload: { authorization: `Bearer ${ada.token}` } });
    assert.equal((await third.closed).code, 1013);
    open[0]?.close();
    await open[0]?.closed;
    await until('a socket is free', async () => {
      const again = await RawSocket.signedIn(server.url, ada.token).catch(() => undefined);
      again?.close();
      return again !== undefined;
    });
    open[1]?.close();
  });

  it('hold for the upgrade of a WebSocket: 429 with Retry-After', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.3' };
    const open = await Promise.all(range(1, 3).map(() => RawSocket.open(server.url, { headers })));
    const refused = await new Promise<{ status: number | undefined; retryAfter: string | undefined }>((resolve) => {
      const socket = new WebSocket(server.url.replace('http', 'ws'), ['graphql-transport-ws'], { headers });
      socket.on('error', () => {});
      socket.once('unexpected-response', (_request, response) => {
        resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'] });
        response.resume();
      });
    });
    assert.deepEqual(refused, { status: 429, retryAfter: '10' });
    for (const socket of open) socket.close();
  });

  it('hold for event streams: a POST is answered 429, and an EventSource is told when to reconnect', async () => {
    const watch = () => EventStream.open(ada, query, { variables: { roomId } });
    const streams = [await watch(), await watch()];
    for (const stream of streams) await stream.next();
    const refused = await post();
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '10']);
    assert.equal(extensionsOf((await refused.json()) as object)[0]?.code, 'RATE_LIMITED');
    const postponed = await fetch(`${server.url}?${new URLSearchParams({ query, variables: JSON.stringify({ roomId }) })}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${ada.token}` },
    });
    assert.deepEqual([postponed.status, await postponed.text()], [200, 'retry: 10000\n\n']);
    for (const stream of streams) stream.close();
    await until('the streams are no longer counted', async () => {
      const again = await post();
      await again.body?.cancel();
      return again.ok;
    });
  });
});

describe('two nodes', { timeout: 60_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let redis: RedisServer;
  let a: Server;
  let b: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    redis = cleanup.use(await startRedis());
    const database = cleanup.use(await createDatabase());
    const env = { DATABASE_URL: database.url, REDIS_URL: redis.url, RATE_LIMIT_SEND: '10/5s' };
    a = cleanup.use(await startServer({ env }));
    b = cleanup.use(await startServer({ env }));
    ada = await Guest.signIn(a.url);
    roomId = await ada.createRoom();
  });
  after(() => cleanup.disposeAsync());

  /** Sends in turn to both nodes until one refuses. Returns how many were acknowledged, and the longest time of an answer. */
  async function sendUntilRefused(): Promise<{ sent: number; longestMs: number; retryAfterMs: number }> {
    const nodes = [ada.at(a.url), ada.at(b.url)];
    let longestMs = 0;
    for (let sent = 0; ; sent += 1) {
      const startMs = performance.now();
      const answer = await (nodes[sent % 2] as Guest).ask(gql.SendMessageDocument, { input: { roomId, body: String(sent) } });
      longestMs = Math.max(longestMs, performance.now() - startMs);
      const [refusal] = extensionsOf(answer);
      if (refusal?.code === 'RATE_LIMITED') return { sent, longestMs, retryAfterMs: refusal.retryAfterMs };
      assert.equal(refusal, undefined);
    }
  }
  const sendInNextWindow = async () => {
    await sleep((await sendUntilRefused()).retryAfterMs);
    return sendUntilRefused();
  };

  it('share one limit', async () => assert.equal((await sendInNextWindow()).sent, 10));

  it('go on by themselves while Redis is silent, and share the limit again after that', async () => {
    await sleep((await sendUntilRefused()).retryAfterMs);
    redis.signal('SIGSTOP');
    const { sent, longestMs } = await sendUntilRefused();
    // Each node allows 10. Redis may have counted none of them.
    assert.equal(sent, 20);
    assert.ok(longestMs < 1000, `A send took ${longestMs} ms.`);
    redis.signal('SIGCONT');
    await until('the nodes share the limit', async () => (await sendInNextWindow()).sent === 10, 40_000);
  });
});
