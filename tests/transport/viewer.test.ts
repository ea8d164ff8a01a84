// Tokens, in the Authorization header, the cookie, and the payload of connection_init.

import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const me = '{ viewer { user { id } } }';
const signOut = 'mutation { signOut { signedOut } }';
const signIn = 'mutation { signIn(input: { name: "Ada" }) { token } }';

interface Reply {
  readonly status: number;
  readonly setCookie: string | null;
  readonly setCookies: readonly string[];
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
  const setCookies = response.headers.getSetCookie();
  return { status: response.status, setCookie: setCookies[0] ?? null, setCookies, body: (await response.json()) as Reply['body'] };
}

/** The name of the cookie that the server sets where the browser uses http. */
const cookieNameOf = (url: string) => `gapless_token_${new URL(url).port}`;

/** Posts with a Host header, which fetch does not allow to set. Returns the cookie that is set. */
function rawPost(url: string, query: string, headers: Record<string, string>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (response) => {
    response.resume();
    resolve(response.headers['set-cookie']?.[0] ?? '');
  });
  request.on('error', reject).end(JSON.stringify({ query }));
  return promise;
}

describe('a token', () => {
  let server: Server;
  let ada: Guest;
  let cookieName: string;
  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
    ada = await Guest.signIn(server.url);
    cookieName = cookieNameOf(server.url);
  });
  after(() => server[Symbol.asyncDispose]());
  const viewerOverSocket = async (socket: RawSocket) => (await socket.ask('1', me)).payload.data.viewer;

  it('is set as a cookie by signIn, and cleared by signOut', async () => {
    const { setCookie, body } = await post(server.url, signIn);
    assert.equal(setCookie, `${cookieName}=${body.data?.signIn?.token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax`);
    const signedOut = await post(server.url, signOut, { cookie: setCookie?.split(';')[0] as string });
    assert.deepEqual(signedOut.setCookies, [`${cookieName}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax`]);
  });

  it('is set as a cookie of this host alone if the page uses https', async () => {
    const { host } = new URL(server.url);
    const { setCookie, body } = await post(server.url, signIn, { origin: `https://${host}` });
    assert.equal(setCookie, `__Host-${cookieName}=${body.data?.signIn?.token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure`);
    const cookie = setCookie?.split(';')[0] as string;
    assert.ok((await post(server.url, me, { cookie })).body.data?.viewer);
    const signedOut = await post(server.url, signOut, { cookie, origin: `https://${host}` });
    assert.deepEqual(signedOut.setCookies, [`__Host-${cookieName}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`]);
  });

  it('is set as a cookie whose name has the default port if the address has none', async () => {
    await using named = await startServer({ env: { ALLOWED_HOSTS: 'chat.example' } });
    const ask = (origin: string) => rawPost(named.url, signIn, { host: 'chat.example', origin });
    assert.match(await ask('http://chat.example'), /^gapless_token_80=/);
    assert.match(await ask('https://chat.example'), /^__Host-gapless_token_443=/);
  });

  it('in a cookie of this host alone takes precedence over one that another host may have set', async () => {
    const bea = await Guest.signIn(server.url, 'Bea');
    for (const cookie of [
      `__Host-${cookieName}=${ada.token}; ${cookieName}=${bea.token}`,
      `${cookieName}=${bea.token}; __Host-${cookieName}=${ada.token}`,
    ]) {
      assert.equal((await post(server.url, me, { cookie })).body.data?.viewer?.user.id, ada.userId);
    }
  });

  it('is not believed if two cookies have its name', async () => {
    const bea = await Guest.signIn(server.url, 'Bea');
    for (const name of [cookieName, `__Host-${cookieName}`, 'gapless_token']) {
      for (const other of [bea.token, ada.token, 'junk', '']) {
        const cookie = `${name}=${ada.token}; a=b; ${name}=${other}`;
        const { body, setCookie } = await post(server.url, me, { cookie });
        assert.deepEqual([body, setCookie], [{ data: { viewer: null } }, null]);
        using socket = await RawSocket.open(server.url, { headers: { cookie } });
        socket.send({ type: 'connection_init' });
        assert.equal((await socket.next()).type, 'connection_ack');
        assert.equal(await viewerOverSocket(socket), null);
      }
    }
  });

  it('is taken from the cookie of an earlier version or of an application, which only signOut clears', async () => {
    const bea = await Guest.signIn(server.url, 'Bea');
    const guest = await Guest.signIn(server.url);
    const cookie = `gapless_token=${guest.token}`;
    assert.equal((await post(server.url, me, { cookie })).body.data?.viewer?.user.id, guest.userId);
    assert.equal((await post(server.url, me, { cookie: `${cookie}; ${cookieName}=${bea.token}` })).body.data?.viewer?.user.id, bea.userId);
    // Another server on this host may have set it.
    assert.deepEqual((await post(server.url, me, { cookie: 'gapless_token=junk' })).setCookies, []);
    assert.deepEqual(
      (await post(server.url, signOut, { cookie })).setCookies.map((each) => each.split(';')[0]),
      [`${cookieName}=`, 'gapless_token='],
    );
  });

  it('of another session of the guest is set as a cookie only if that is asked for', async () => {
    const create = (setsCookie: boolean) =>
      `mutation { createSession(input: { setsCookie: ${setsCookie} }) { token viewer { user { id } } } }`;
    const tokens = new Set([ada.token]);
    for (const setsCookie of [false, true]) {
      const { body, setCookie } = await post(server.url, create(setsCookie), { authorization: `Bearer ${ada.token}` });
      const { token, viewer } = (body.data as { createSession: { token: string; viewer: { user: { id: string } } } }).createSession;
      tokens.add(token);
      assert.equal(viewer.user.id, ada.userId);
      assert.equal(setCookie?.startsWith(`${cookieName}=${token};`), setsCookie ? true : undefined);
      assert.equal((await post(server.url, me, { authorization: `Bearer ${token}` })).body.data?.viewer?.user.id, ada.userId);
    }
    assert.equal(tokens.size, 3);
    assert.equal((await post(server.url, create(true))).body.errors?.[0]?.extensions.code, 'UNAUTHENTICATED');
  });

  it('does not sign out another server on the same host', async () => {
    await using other = await startServer();
    const jar = [server.url, other.url].map(async (url) => (await post(url, signIn)).setCookie?.split(';')[0]);
    const cookie = (await Promise.all(jar)).join('; ');
    for (const url of [server.url, other.url]) {
      const { body, setCookies } = await post(url, me, { cookie });
      assert.ok(body.data?.viewer);
      assert.deepEqual(setCookies, []);
    }
  });

  it('of GraphiQL is in a cookie of its own', async () => {
    const bea = await Guest.signIn(server.url, 'Bea');
    const graphiql = `${server.url}?session=graphiql`;
    const { setCookie, body } = await post(graphiql, signIn, { cookie: `${cookieName}=${ada.token}` });
    assert.ok(setCookie?.startsWith(`${cookieName.replace('token', 'token_graphiql')}=${body.data?.signIn?.token};`));
    const cookie = `${cookieName}=${ada.token}; ${cookieName.replace('token', 'token_graphiql')}=${bea.token}`;
    for (const [url, userId] of [
      [server.url, ada.userId],
      [graphiql, bea.userId],
    ] as const) {
      assert.equal((await post(url, me, { cookie })).body.data?.viewer?.user.id, userId);
      using socket = await RawSocket.open(url, { headers: { cookie } });
      socket.send({ type: 'connection_init' });
      await socket.next();
      assert.equal((await viewerOverSocket(socket)).user.id, userId);
    }
    assert.deepEqual((await post(graphiql, me, { cookie: `${cookieName}=${ada.token}` })).body, { data: { viewer: null } });
  });

  it('is set as a secure cookie if a proxy that is trusted says that the browser uses https, and nobody else', async () => {
    const trusting = await startServer({ env: { TRUST_PROXY: '1' } });
    await using _trusting = trusting;
    await using network = await startServer({ env: { TRUST_PROXY: '127.0.0.1,10.0.0.0/8' } });
    await using elsewhere = await startServer({ env: { TRUST_PROXY: '10.0.0.0/8' } });
    for (const proto of ['https', 'https,http', 'HTTPS', ' https , https']) {
      const secure = async (url: string) => /; Secure$/.test((await post(url, signIn, { 'x-forwarded-proto': proto })).setCookie ?? '');
      assert.deepEqual(
        await Promise.all([server, elsewhere, trusting, network].map(({ url }) => secure(url))),
        [false, false, true, true],
        proto,
      );
    }
    for (const proto of ['http', 'http,https', 'httpsx', '']) {
      assert.doesNotMatch((await post(trusting.url, signIn, { 'x-forwarded-proto': proto })).setCookie ?? '', /Secure/, proto);
    }
    // What the proxy says counts, whatever the page claims.
    const origin = `https://${new URL(trusting.url).host}`;
    assert.doesNotMatch((await post(trusting.url, signIn, { origin, 'x-forwarded-proto': 'http' })).setCookie ?? '', /Secure/);
    assert.match((await post(trusting.url, signIn, { origin })).setCookie ?? '', /Secure/);
  });

  it('works in a cookie without __Host- behind a proxy that ends TLS and is not trusted', async () => {
    await using named = await startServer({ env: { ALLOWED_ORIGINS: 'https://app.example' } });
    const { setCookie, body } = await post(named.url, signIn, { origin: 'https://app.example', 'x-forwarded-proto': 'https' });
    assert.equal(setCookie, `${cookieNameOf(named.url)}=${body.data?.signIn?.token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax`);
    const cookie = setCookie?.split(';')[0] as string;
    for (const origin of ['https://app.example', `https://${new URL(named.url).host}`]) {
      assert.ok((await post(named.url, me, { cookie, origin })).body.data?.viewer);
    }
  });

  it('of a new sign-in replaces each cookie of this server, and signOut clears each of them', async () => {
    const { host } = new URL(server.url);
    for (const headers of [{}, { origin: `https://${host}` }]) {
      const ours = [`__Host-${cookieName}`, cookieName];
      const cookie = [...ours, 'gapless_token'].map((name) => `${name}=${ada.token}`).join('; ');
      const { setCookies, body } = await post(server.url, signIn, { cookie, ...headers });
      const kept = setCookies.filter((each) => !/Max-Age=0/.test(each)).map((each) => each.split(';')[0] as string);
      assert.deepEqual([kept.length, setCookies.length], [1, 2]);
      assert.ok(kept[0]?.endsWith(`=${body.data?.signIn?.token}`));
      // Another guest, so that the tests after this one keep their session.
      const cleared = await post(server.url, signOut, {
        cookie: cookie.replaceAll(ada.token, body.data?.signIn?.token as string),
        ...headers,
      });
      assert.deepEqual(
        cleared.setCookies.map((each) => /^([^=]+)=; .*Max-Age=0/.exec(each)?.[1]).sort(),
        [...ours, 'gapless_token'].sort(),
      );
    }
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
    for (const cookie of [`${cookieName}=${ada.token}`, `a=b; ${cookieName}=${ada.token}; c=d`, `a=b;${cookieName} = ${ada.token}`]) {
      const { body, setCookie } = await post(server.url, me, { cookie });
      assert.equal(body.data?.viewer?.user.id, ada.userId);
      assert.equal(setCookie, null);
    }
    assert.equal((await post(server.url, me, { cookie: `not_${cookieName}=${ada.token}` })).body.data?.viewer, null);
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
    ['cookie', (token: string) => ({ cookie: `${cookieName}=${token}` })],
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
      const { status, body, setCookie } = await post(server.url, me, { cookie: `${cookieName}=${bad}` });
      assert.deepEqual([status, body], [200, { data: { viewer: null } }]);
      assert.ok(setCookie?.startsWith(`${cookieName}=; Path=/; Max-Age=0;`));
    }
    using socket = await RawSocket.open(server.url, { headers: { cookie: `${cookieName}=junk` } });
    socket.send({ type: 'connection_init' });
    assert.equal((await socket.next()).type, 'connection_ack');
    assert.equal(await viewerOverSocket(socket), null);
  });

  it('of a new sign-in replaces an invalid cookie', async () => {
    const { setCookie, body } = await post(server.url, signIn, { cookie: `${cookieName}=junk` });
    assert.ok(setCookie?.startsWith(`${cookieName}=${body.data?.signIn?.token};`));
  });
});

describe('a request that names the viewer it is meant for', () => {
  let server: Server;
  let ada: Guest;
  let bob: Guest;
  before(async () => {
    server = await startServer();
    ada = await Guest.signIn(server.url);
    bob = await Guest.signIn(server.url, 'Bob');
  });
  after(() => server[Symbol.asyncDispose]());
  const cookieOf = (guest: Guest) => `${cookieNameOf(server.url)}=${guest.token}`;
  const credentials = [
    ['cookie', (guest: Guest) => ({ cookie: cookieOf(guest) })],
    ['header', (guest: Guest) => ({ authorization: `Bearer ${guest.token}` })],
  ] as const;

  for (const [door, headersOf] of credentials) {
    it(`is executed if its ${door} is of that viewer`, async () => {
      const { body } = await post(server.url, me, { ...headersOf(ada), 'gapless-viewer': ada.viewerId });
      assert.equal(body.data?.viewer?.user.id, ada.userId);
    });

    it(`is refused with UNAUTHENTICATED before anything is done if its ${door} is of another viewer`, async () => {
      const roomId = await bob.createRoom();
      const send = `mutation { sendMessage(input: { roomId: "${roomId}", body: "as Ada" }) { message { id } } }`;
      for (const intended of [ada.viewerId, ada.userId, bob.userId, '', 'junk', `${bob.viewerId}, ${bob.viewerId}`]) {
        const { status, body, setCookies } = await post(server.url, send, { ...headersOf(bob), 'gapless-viewer': intended });
        assert.deepEqual([status, body.errors?.[0]?.extensions.code, setCookies], [401, 'UNAUTHENTICATED', []]);
      }
      const { data } = await bob.ask<{ room: { lastMessage: unknown } }, never>(`{ room(id: "${roomId}") { lastMessage { id } } }`);
      assert.equal(data?.room.lastMessage, null);
    });

    it(`is refused as a handshake if its ${door} is of another viewer`, async () => {
      await assert.rejects(RawSocket.open(server.url, { headers: { ...headersOf(bob), 'gapless-viewer': ada.viewerId } }), /401/);
    });

    it(`is refused as an event stream if its ${door} is of another viewer`, async () => {
      const response = await fetch(`${server.url}?query=${encodeURIComponent('subscription { roomEvents(roomId: "room_") { cursor } }')}`, {
        headers: { accept: 'text/event-stream', ...headersOf(bob), 'gapless-viewer': ada.viewerId },
      });
      assert.equal(response.status, 401);
    });
  }

  it('is refused if nobody is signed in', async () => {
    for (const headers of [{}, { cookie: `${cookieNameOf(server.url)}=junk` }]) {
      const { status } = await post(server.url, me, { ...headers, 'gapless-viewer': ada.viewerId });
      assert.equal(status, 401);
    }
  });

  it('closes its socket with 4403 if it is meant for another viewer', async () => {
    const closes = async (headers: Record<string, string>, payload: object) => {
      using socket = await RawSocket.open(server.url, { headers });
      socket.send({ type: 'connection_init', payload });
      return (await socket.closed).code;
    };
    assert.equal(await closes({ cookie: cookieOf(bob) }, { viewerId: ada.viewerId }), 4403);
    assert.equal(await closes({}, { viewerId: ada.viewerId }), 4403);
    assert.equal(await closes({}, { authorization: `Bearer ${bob.token}`, viewerId: ada.viewerId }), 4403);
    for (const viewerId of [1, {}, '', [bob.viewerId]]) assert.equal(await closes({ cookie: cookieOf(bob) }, { viewerId }), 4403);
    // The handshake was meant for Bob, and connection_init signs in as Ada.
    const handshake = { cookie: cookieOf(bob), 'gapless-viewer': bob.viewerId };
    assert.equal(await closes(handshake, { authorization: `Bearer ${ada.token}` }), 4403);
    assert.equal(await closes(handshake, { authorization: `Bearer ${ada.token}`, viewerId: ada.viewerId }), 4403);
  });

  it('opens its socket if it is meant for this viewer, or for any', async () => {
    for (const payload of [{ viewerId: bob.viewerId }, { viewerId: null }, {}, undefined]) {
      using socket = await RawSocket.open(server.url, { headers: { cookie: cookieOf(bob) } });
      socket.send({ type: 'connection_init', ...(payload ? { payload } : {}) });
      assert.equal((await socket.next()).type, 'connection_ack');
    }
    using socket = await RawSocket.open(server.url, { headers: { cookie: cookieOf(bob) } });
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${ada.token}`, viewerId: ada.viewerId } });
    assert.equal((await socket.next()).type, 'connection_ack');
  });

  it('is allowed for the pages of another origin', async () => {
    const origin = new URL(server.url).origin;
    const response = await fetch(server.url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'gapless-viewer' },
    });
    assert.match(response.headers.get('access-control-allow-headers') ?? '', /gapless-viewer/);
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
      using socket = await RawSocket.open(
        server.url,
        door === 'cookie' ? { headers: { cookie: `${cookieNameOf(server.url)}=${token}` } } : {},
      );
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
