// Sessions that are signed out end on every node, with Redis there, killed and silent, and without it. Others go on.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { sql } from 'kysely';
import { EventStream } from './support/event-stream.ts';
import { until } from './support/process.ts';
import { type RedisServer, startRedis } from './support/redis.ts';
import { ask, createPlace, Guest, type Server, startServer, storages } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { roomEvents } from './support/ways.ts';

const signOut = 'mutation { signOut { signedOut } }';
const signOutEverywhere = 'mutation { signOutEverywhere { token } }';
const me = '{ viewer { id } }';
const signedOut = { code: 'UNAUTHENTICATED', reason: 'SIGNED_OUT' };

const secret = 'a secret of at least thirty-two bytes';
const nowSeconds = () => Math.floor(Date.now() / 1000);
const tokenOf = (sub: string, claims: Record<string, unknown> = {}) =>
  new SignJWT({ sub, iat: nowSeconds() - 1, exp: nowSeconds() + 3600, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));

/** What a person has open on one node. */
interface Open extends Disposable {
  readonly socket: RawSocket;
  readonly stream: EventStream;
}

async function open(guest: Guest, roomId: string): Promise<Open> {
  const socket = await RawSocket.signedIn(guest.url, guest.token);
  socket.subscribe('1', roomEvents, { roomId });
  assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
  const stream = await EventStream.open(guest, roomEvents, { variables: { roomId } });
  assert.match((await stream.nextData())?.data ?? '', /CaughtUp/);
  return {
    socket,
    stream,
    [Symbol.dispose]() {
      socket[Symbol.dispose]();
      stream[Symbol.dispose]();
    },
  };
}

/** Resolves once both have ended as those of a session that was signed out do. */
async function ends({ socket, stream }: Open): Promise<void> {
  let last = '';
  for (let event = await stream.next(); event; event = await stream.next()) last = event.data ?? last;
  assert.deepEqual(JSON.parse(last).errors[0].extensions, signedOut);
  assert.deepEqual(await socket.closed, { code: 4403, reason: 'Signed out' });
}

/** Checks that the next message arrives at both. */
async function goOn({ socket, stream }: Open, sender: Guest, roomId: string): Promise<void> {
  const { message } = await sender.send(roomId, 'still there?');
  for (;;) {
    const { payload } = await socket.next();
    if (payload.data.roomEvents.message?.number === message.number) break;
  }
  for (;;) {
    const { data } = JSON.parse((await stream.nextData())?.data ?? '');
    if (data.roomEvents.message?.number === message.number) break;
  }
}

const refusalOf = async (guest: Guest) => (await guest.ask(me)).errors?.[0]?.extensions;

for (const storage of storages) {
  it(`signOut ends its token and what is open with it, also after a restart, on ${storage}`, async () => {
    await using server = await startServer({ storage });
    const [ada, bob] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Bob')];
    const roomId = await bob.createRoom();
    using ofAda = await open(ada, roomId);
    using ofBob = await open(bob, roomId);
    await ada.must(signOut);
    // From its answer on.
    assert.deepEqual(await refusalOf(ada), signedOut);
    await ends(ofAda);
    using again = await RawSocket.open(server.url);
    again.send({ type: 'connection_init', payload: { authorization: `Bearer ${ada.token}` } });
    assert.deepEqual(await again.closed, { code: 4403, reason: 'Signed out' });
    const cookie = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: `gapless_token_${new URL(server.url).port}=${ada.token}` },
      body: JSON.stringify({ query: me }),
    });
    assert.deepEqual(await cookie.json(), { data: { viewer: null } });
    assert.match(cookie.headers.get('set-cookie') ?? '', /Max-Age=0/);
    await goOn(ofBob, bob, roomId);
    await server.restart();
    assert.deepEqual(await refusalOf(ada), signedOut);
    assert.equal(await refusalOf(bob), undefined);
  });
}

it('signOut over a socket is answered before the socket is closed', async () => {
  await using server = await startServer();
  for (let round = 0; round < 10; round += 1) {
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const { payload } = await socket.ask('1', signOut);
    assert.deepEqual(payload, { data: { signOut: { signedOut: true } } });
    assert.deepEqual(await socket.closed, { code: 4403, reason: 'Signed out' });
  }
});

it('signOut answered as an event stream is answered before its session ends, and clears the cookie', async () => {
  await using server = await startServer();
  const ada = await Guest.signIn(server.url);
  const roomId = await ada.createRoom();
  using ofAda = await open(ada, roomId);
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${ada.token}` },
    body: JSON.stringify({ query: signOut }),
  });
  assert.match(response.headers.get('set-cookie') ?? '', /Max-Age=0/);
  assert.match(await response.text(), /\{"data":\{"signOut":\{"signedOut":true\}\}\}/);
  await ends(ofAda);
});

it('a client that does not read receives nothing that was sent after its session was signed out', async () => {
  await using server = await startServer();
  const [ada, bob] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Bob')];
  const roomId = await bob.createRoom();
  using ofAda = await open(ada, roomId);
  ofAda.socket.pause();
  await bob.send(roomId, 'before');
  await ada.must(signOut);
  let ended = '';
  for (let event = await ofAda.stream.next(); event; event = await ofAda.stream.next()) ended += event.data ?? '';
  await bob.send(roomId, 'after');
  ofAda.socket.resume();
  const bodies: string[] = [];
  for (;;) {
    const frame = await ofAda.socket.next().catch(() => undefined);
    if (!frame) break;
    bodies.push(frame.payload.data.roomEvents.message.body);
  }
  assert.deepEqual(bodies, ['before']);
  assert.deepEqual(await ofAda.socket.closed, { code: 4403, reason: 'Signed out' });
  assert.match(ended, /before.*SIGNED_OUT/);
});

it('signOut without a token only clears the cookie', async () => {
  await using server = await startServer();
  assert.deepEqual(await ask(server.url, undefined, signOut), { data: { signOut: { signedOut: true } } });
});

describe('on three nodes', { concurrency: false }, () => {
  for (const [redis, withinMs] of [
    ['Redis', 1000],
    ['Redis killed', 6000],
    ['Redis silent', 6000],
    ['no Redis', 6000],
  ] as const) {
    describe(`with ${redis}`, () => {
      const cleanup = new AsyncDisposableStack();
      let nodes: Server[];
      let server: RedisServer | undefined;
      before(async () => {
        const place = cleanup.use(await createPlace('PostgreSQL'));
        server = redis === 'no Redis' ? undefined : cleanup.use(await startRedis());
        const env = { ...place.env, ...(server && { REDIS_URL: server.url }) };
        nodes = [];
        for (let i = 0; i < 3; i += 1) nodes.push(cleanup.use(await startServer({ env })));
        const healthy = async ({ app }: Server) => ((await (await fetch(`${app.url}/ready`)).json()) as { redis: string }).redis === 'ok';
        if (server) for (const node of nodes) await until('Redis is healthy', () => healthy(node));
        if (redis === 'Redis killed') await server?.stop();
        if (redis === 'Redis silent') server?.signal('SIGSTOP');
      });
      after(async () => {
        server?.signal('SIGCONT');
        await cleanup.disposeAsync();
      });

      it(`a session ends on every node within ${withinMs} ms, and others go on`, async () => {
        const [one] = nodes as [Server];
        const [ada, bob] = [await Guest.signIn(one.url, 'Ada'), await Guest.signIn(one.url, 'Bob')];
        const roomId = await bob.createRoom();
        await using opened = new AsyncDisposableStack();
        const ofAda = await Promise.all(nodes.map(async ({ url }) => opened.use(await open(ada.at(url), roomId))));
        const ofBob = await Promise.all(nodes.map(async ({ url }) => opened.use(await open(bob.at(url), roomId))));
        await ada.must(signOut);
        const startMs = performance.now();
        await Promise.all(ofAda.map(ends));
        const tookMs = performance.now() - startMs;
        assert.ok(tookMs < withinMs, `It took ${tookMs} ms.`);
        for (const { url } of nodes) assert.deepEqual(await refusalOf(ada.at(url)), signedOut);
        for (const each of ofBob) await goOn(each, bob, roomId);
      });
    });
  }
});

it('a node learns of a sign-out whose transaction commits long after later ones', async () => {
  await using place = await createPlace('PostgreSQL');
  await using one = await startServer({ env: place.env });
  await using two = await startServer({ env: place.env });
  const [ada, bob] = [await Guest.signIn(one.url, 'Ada'), await Guest.signIn(one.url, 'Bob')];
  const { jti } = JSON.parse(Buffer.from(ada.token.split('.')[1] as string, 'base64url').toString()) as { jti: string };
  const commit = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const late = one.app.storage.db.connection().execute(async (db) => {
    await sql`begin`.execute(db);
    await sql`insert into revocations (subject, session_id) values (${ada.userId}, ${jti})`.execute(db);
    written.resolve();
    // Keeps the transaction from being idle for too long.
    const busy = setInterval(() => void sql`select 1`.execute(db), 500);
    await commit.promise;
    clearInterval(busy);
    await sql`commit`.execute(db);
  });
  await written.promise;
  await bob.must(signOut);
  await until('the later one is known', async () => (await refusalOf(bob.at(two.url))) !== undefined);
  assert.equal(await refusalOf(ada.at(two.url)), undefined);
  commit.resolve();
  await late;
  await until('the late one is known', async () => (await refusalOf(ada.at(two.url))) !== undefined);
});

describe('signOutEverywhere of a guest', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());

  it('issues the token anew, and ends the old one and its copies', async () => {
    const [ada, bob] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Bob')];
    const roomId = await ada.createRoom();
    using copied = await open(ada, roomId);
    using ofBob = await open(bob, roomId);
    const { signOutEverywhere: result } = await ada.must<{ signOutEverywhere: { token: string } }, never>(signOutEverywhere);
    assert.deepEqual(await refusalOf(ada), signedOut);
    await ends(copied);
    const next = new Guest(server.url, result.token, ada.userId);
    assert.equal(await refusalOf(next), undefined);
    await goOn(ofBob, next, roomId);
    const { signOutEverywhere: again } = await next.must<{ signOutEverywhere: { token: string } }, never>(signOutEverywhere);
    assert.deepEqual(await refusalOf(next), signedOut);
    assert.equal(await refusalOf(new Guest(server.url, again.token, ada.userId)), undefined);
  });

  it('over a socket continues that socket, with its subscriptions', async () => {
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using ofAda = await open(ada, roomId);
    using other = await open(ada, roomId);
    const { payload } = await ofAda.socket.ask('2', signOutEverywhere);
    const next = new Guest(server.url, payload.data.signOutEverywhere.token, ada.userId);
    await ends(other);
    await next.send(roomId, 'hello');
    assert.equal((await ofAda.socket.next()).payload.data.roomEvents.message.body, 'hello');
    assert.equal((await ofAda.socket.ask('3', me)).payload.data.viewer.id, ada.viewerId);
  });

  it('is refused without a token, and for a session that has ended meanwhile', async () => {
    assert.equal((await ask(server.url, undefined, signOutEverywhere)).errors?.[0]?.extensions.code, 'UNAUTHENTICATED');
    const ada = await Guest.signIn(server.url);
    // As from another node, of which this one has not heard yet.
    await sql`insert into revocations (subject, session_id, issued_through) values (${ada.userId}, '', ${nowSeconds() + 1})`.execute(
      server.app.storage.db,
    );
    assert.deepEqual((await ada.ask(signOutEverywhere)).errors?.[0]?.extensions, signedOut);
  });
});

describe('with tokens of a host application', () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  before(async () => {
    const place = cleanup.use(await createPlace('PostgreSQL'));
    server = cleanup.use(await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } }));
  });
  after(() => cleanup.disposeAsync());
  const guestWith = async (sub: string, claims: Record<string, unknown>) => new Guest(server.url, await tokenOf(sub, claims), '');

  it('signOut ends one session of a user, with jti or without', async () => {
    const sessions = await Promise.all(
      [{ jti: 'a' }, { jti: 'b' }, {}, { iat: nowSeconds() - 2 }, { iat: undefined }].map((claims) => guestWith('ada', claims)),
    );
    const bob = await guestWith('bob', { jti: 'a' });
    for (const [index, session] of sessions.entries()) {
      await session.must(signOut);
      for (const [i, each] of sessions.entries()) assert.deepEqual(await refusalOf(each), i <= index ? signedOut : undefined);
    }
    assert.equal(await refusalOf(bob), undefined);
  });

  it('signOutEverywhere keeps the current token, with jti or without, and ends all others that were issued before', async () => {
    for (const [sub, claims] of [
      ['cleo', { jti: 'mine' }],
      ['dora', {}],
    ] as const) {
      const mine = await guestWith(sub, claims);
      const others = await Promise.all(
        [{ jti: 'other' }, { iat: undefined }, { iat: nowSeconds() - 100 }].map((other) => guestWith(sub, other)),
      );
      assert.deepEqual(await mine.must(signOutEverywhere), { signOutEverywhere: { token: null } });
      assert.equal(await refusalOf(mine), undefined);
      for (const other of others) assert.deepEqual(await refusalOf(other), signedOut);
      assert.equal(await refusalOf(await guestWith(sub, { iat: nowSeconds() + 2 })), undefined);
    }
  });
});

for (const storage of storages) {
  it(`signOut ends a token whose exp is in milliseconds, or is no instant, on ${storage}`, async () => {
    await using place = await createPlace(storage);
    await using server = await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } });
    for (const exp of [nowSeconds() * 1000, Number.MAX_SAFE_INTEGER, 1e300]) {
      const ada = new Guest(server.url, await tokenOf('ada', { exp, jti: String(exp) }), '');
      using socket = await RawSocket.open(server.url);
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ada.token}` } });
      assert.equal((await socket.next()).payload.expiresAt, '9999-12-31T23:59:59.000Z');
      await ada.must(signOut);
      assert.deepEqual(await refusalOf(ada), signedOut);
    }
  });
}
