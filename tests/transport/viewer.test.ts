// Tokens, in the Authorization header, the cookie, and the payload of connection_init.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const me = '{ viewer { user { id } } }';
const signIn = 'mutation { signIn(input: { name: "Ada" }) { token } }';

interface Reply {
  readonly status: number;
  readonly setCookie: string | null;
  readonly body: {
    data?: { viewer?: { user: { id: string } } | null; signIn?: { token: string } };
    errors?: { extensions: { code: string } }[];
  };
}

async function post(url: string, query: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, setCookie: response.headers.get('set-cookie'), body: (await response.json()) as Reply['body'] };
}

describe('a token', () => {
  let server: Server;
  let ada: Guest;
  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
    ada = await Guest.signIn(server.url);
  });
  after(() => server[Symbol.asyncDispose]());
  const viewerOverSocket = async (socket: RawSocket) => (await socket.ask('1', me)).payload.data.viewer;

  it('is set as a cookie by signIn, and cleared by signOut', async () => {
    const { setCookie, body } = await post(server.url, signIn);
    assert.equal(setCookie, `gapless_token=${body.data?.signIn?.token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax`);
    const signedOut = await post(server.url, 'mutation { signOut { signedOut } }', { cookie: setCookie?.split(';')[0] as string });
    assert.equal(signedOut.setCookie, 'gapless_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax');
  });

  it('is set as a secure cookie if a proxy says that the browser uses https', async () => {
    for (const proto of ['https', 'https,http', 'HTTPS']) {
      assert.match((await post(server.url, signIn, { 'x-forwarded-proto': proto })).setCookie ?? '', /; Secure$/);
    }
    assert.doesNotMatch((await post(server.url, signIn, { 'x-forwarded-proto': 'http' })).setCookie ?? '', /Secure/);
  });

  it('is taken from the header, for POST and GET, whatever the case of Bearer', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const headers = { authorization: `${scheme} ${ada.token}` };
      assert.equal((await post(server.url, me, headers)).body.data?.viewer?.user.id, ada.userId);
    }
    const response = await fetch(`${server.url}?query=${encodeURIComponent(me)}`, { headers: { authorization: `Bearer ${ada.token}` } });
    assert.deepEqual(await response.json(), { data: { viewer: { user: { id: ada.userId } } } });
  });

  it('is taken from the cookie, among others', async () => {
    for (const cookie of [`gapless_token=${ada.token}`, `a=b; gapless_token=${ada.token}; c=d`]) {
      const { body, setCookie } = await post(server.url, me, { cookie });
      assert.equal(body.data?.viewer?.user.id, ada.userId);
      assert.equal(setCookie, null);
    }
    assert.equal((await post(server.url, me, { cookie: `not_gapless_token=${ada.token}` })).body.data?.viewer, null);
  });

  it('is taken from connection_init, with the key in lower case or not', async () => {
    for (const key of ['authorization', 'Authorization']) {
      using socket = await RawSocket.open(server.url);
      socket.send({ type: 'connection_init', payload: { [key]: `Bearer ${ada.token}` } });
      assert.equal((await socket.next()).type, 'connection_ack');
      assert.equal((await viewerOverSocket(socket)).user.id, ada.userId);
    }
  });

  for (const [door, headers] of [
    ['cookie', (token: string) => ({ cookie: `gapless_token=${token}` })],
    ['header', (token: string) => ({ authorization: `Bearer ${token}` })],
  ] as const) {
    it(`is taken from the ${door} of a WebSocket's handshake`, async () => {
      using socket = await RawSocket.open(server.url, { headers: headers(ada.token) });
      socket.send({ type: 'connection_init' });
      assert.equal((await socket.next()).type, 'connection_ack');
      assert.equal((await viewerOverSocket(socket)).user.id, ada.userId);
    });
  }

  it('in the header or connection_init takes precedence over the cookie', async () => {
    const bea = await Guest.signIn(server.url, 'Bea');
    const cookie = `gapless_token=${ada.token}`;
    assert.equal((await post(server.url, me, { cookie, authorization: `Bearer ${bea.token}` })).body.data?.viewer?.user.id, bea.userId);
    using socket = await RawSocket.open(server.url, { headers: { cookie } });
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${bea.token}` } });
    await socket.next();
    assert.equal((await viewerOverSocket(socket)).user.id, bea.userId);
  });

  it('is not needed to ask for the viewer', async () => {
    assert.deepEqual((await post(server.url, me)).body, { data: { viewer: null } });
    using socket = await RawSocket.signedIn(server.url);
    assert.equal(await viewerOverSocket(socket), null);
  });

  it('that is invalid is refused in the header with 401 and WWW-Authenticate', async () => {
    const { status, body } = await post(server.url, me, { authorization: 'Bearer junk', cookie: `gapless_token=${ada.token}` });
    assert.deepEqual([status, body.errors?.[0]?.extensions.code, body.data], [401, 'UNAUTHENTICATED', undefined]);
    const response = await fetch(server.url, { headers: { authorization: 'Bearer junk', accept: 'text/event-stream' } });
    assert.deepEqual([response.status, response.headers.get('www-authenticate')], [401, 'Bearer']);
  });

  it('that is invalid is refused in the header of a handshake with 401', async () => {
    await assert.rejects(RawSocket.open(server.url, { headers: { authorization: 'Bearer junk' } }), /401/);
  });

  for (const authorization of ['Bearer junk', 'junk', '', 42, false, {}, { toString: 1 }, ['Bearer junk']]) {
    it(`that is invalid closes the socket with 4403: ${JSON.stringify(authorization)}`, async () => {
      using socket = await RawSocket.open(server.url, { headers: { cookie: `gapless_token=${ada.token}` } });
      socket.send({ type: 'connection_init', payload: { authorization } });
      assert.deepEqual(await socket.closed, { code: 4403, reason: 'Forbidden' });
    });
  }

  it('that is invalid counts as none in the cookie, and is cleared', async () => {
    for (const bad of ['junk', '', `${ada.token}x`]) {
      const { status, body, setCookie } = await post(server.url, me, { cookie: `gapless_token=${bad}` });
      assert.deepEqual([status, body], [200, { data: { viewer: null } }]);
      assert.match(setCookie ?? '', /^gapless_token=; Path=\/; Max-Age=0;/);
    }
    using socket = await RawSocket.open(server.url, { headers: { cookie: 'gapless_token=junk' } });
    socket.send({ type: 'connection_init' });
    assert.equal((await socket.next()).type, 'connection_ack');
    assert.equal(await viewerOverSocket(socket), null);
  });

  it('of a new sign-in replaces an invalid cookie', async () => {
    const { setCookie, body } = await post(server.url, signIn, { cookie: 'gapless_token=junk' });
    assert.ok(setCookie?.startsWith(`gapless_token=${body.data?.signIn?.token};`));
  });
});

describe('a token that expires', { concurrency: true }, () => {
  const secret = 'a secret of at least thirty-two bytes';
  const tokenFor = (expiresAt: number) =>
    new SignJWT({ sub: 'ada', exp: expiresAt }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
  let server: Server;
  let place: Awaited<ReturnType<typeof createPlace>>;
  let roomId: string;
  before(async () => {
    place = await createPlace('PostgreSQL');
    server = await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } });
    roomId = await new Guest(server.url, await tokenFor(inSeconds(3600)), '').createRoom();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  for (const door of ['connection_init', 'cookie'] as const) {
    it(`of ${door} ends its socket with 4403 when it expires, and not before`, async () => {
      const expiresAt = inSeconds(3);
      const token = await tokenFor(expiresAt);
      using socket = await RawSocket.open(server.url, door === 'cookie' ? { headers: { cookie: `gapless_token=${token}` } } : {});
      socket.send({ type: 'connection_init', ...(door === 'cookie' ? {} : { payload: { authorization: `Bearer ${token}` } }) });
      assert.equal((await socket.next()).type, 'connection_ack');
      socket.subscribe('1', 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename } }', { roomId });
      assert.equal((await socket.next()).type, 'next');
      assert.deepEqual(await socket.closed, { code: 4403, reason: 'Forbidden' });
      assert.ok(Date.now() >= expiresAt * 1000);
      await until('nobody watches', () => server.app.liveRooms.size === 0);
    });
  }

  it('ends its event stream with UNAUTHENTICATED when it expires, and not before', async () => {
    const expiresAt = inSeconds(3);
    using events = await EventStream.watch(new Guest(server.url, await tokenFor(expiresAt), ''), { roomId });
    assert.equal(events.response.status, 200);
    const last = await events.nextData();
    assert.deepEqual([last?.event, JSON.parse(last?.data ?? '').errors[0].extensions], ['next', { code: 'UNAUTHENTICATED' }]);
    assert.ok(Date.now() >= expiresAt * 1000);
    // Without complete, so that a client with a new token resumes. One without is refused.
    assert.equal(await events.next(), undefined);
    await until('nobody watches', () => server.app.liveRooms.size === 0);
  });

  for (const [when, expiresAt] of [
    ['in the year 9999', Date.UTC(9999, 11, 31) / 1000],
    ['later than a Date can be', 1e14],
  ] as const) {
    it(`${when} is accepted`, async () => {
      using socket = await RawSocket.signedIn(server.url, await tokenFor(expiresAt));
      assert.equal((await socket.ask('1', me)).type, 'next');
    });
  }
});
