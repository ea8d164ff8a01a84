// The server behind nginx, under a path: HTTP, event streams, WebSockets, cookies, and the address of the client.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { openBrowser } from './support/browser.ts';
import { EventStream } from './support/event-stream.ts';
import { type Nginx, startNginx } from './support/nginx.ts';
import { Person } from './support/person.ts';
import { until } from './support/process.ts';
import { findProgram } from './support/programs.ts';
import { Guest, type Server, startServer } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { range } from './support/storage.ts';
import { roomEvents } from './support/ways.ts';

const signIn = 'mutation { signIn(input: { name: "Ada" }) { token } }';
const me = '{ viewer { user { name } } }';

/** Why nginx cannot be installed here. */
const missing = await findProgram(['nginx'], 'nginx').then(
  () => false,
  (error: Error) => error.message,
);

describe('a server behind nginx', { timeout: 240_000, skip: missing }, () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  let nginx: Nginx;
  let url: string;
  before(async () => {
    server = cleanup.use(await startServer({ env: { BASE_PATH: '/chat', TRUST_PROXY: '1' } }));
    nginx = cleanup.use(await startNginx(Number(new URL(server.url).port), '/chat'));
    url = `${nginx.httpOrigin}/chat/graphql`;
  });
  after(() => cleanup.disposeAsync());

  /** Posts over HTTPS, whose certificate no authority has signed. */
  async function post(query: string, headers: Record<string, string> = {}) {
    const sent = request(`${nginx.httpsOrigin}/chat/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      rejectUnauthorized: false,
    }).end(JSON.stringify({ query }));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += chunk;
    return { body: JSON.parse(text), cookies: response.headers['set-cookie'] ?? [] };
  }

  it('serves its pages and its API below its path', async () => {
    for (const path of ['/chat/', '/chat/health', '/chat/ready', '/chat/graphql?query={__typename}']) {
      assert.equal((await fetch(nginx.httpOrigin + path)).status, 200, path);
    }
    const [asset] = /assets\/[^"]+\.js/.exec(await (await fetch(`${nginx.httpOrigin}/chat/`)).text()) ?? [];
    assert.match((await fetch(`${nginx.httpOrigin}/chat/${asset}`)).headers.get('cache-control') ?? '', /immutable/);
    const redirect = await fetch(`${nginx.httpOrigin}/chat`, { redirect: 'manual' });
    assert.deepEqual([redirect.status, redirect.headers.get('location')], [308, '/chat/']);
  });

  it('delivers each message at once, over event streams and WebSockets', async () => {
    const ada = await Guest.signIn(url);
    const roomId = await ada.createRoom();
    using stream = await EventStream.watch(ada, { roomId });
    using socket = await RawSocket.signedIn(url, ada.token);
    socket.subscribe('1', roomEvents, { roomId });
    assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    for (const index of range(1, 5)) {
      const { message } = await ada.send(roomId, `message ${index}`);
      // nginx would hold an event back until its buffer is full.
      assert.equal((await stream.nextMessage()).number, message.number);
      assert.equal((await socket.next()).payload.data.roomEvents.message.number, message.number);
    }
  });

  it('notices that a client of an event stream or WebSocket has left', async () => {
    const ada = await Guest.signIn(url);
    const roomId = await ada.createRoom();
    const stream = await EventStream.watch(ada, { roomId });
    const socket = await RawSocket.signedIn(url, ada.token);
    socket.subscribe('1', roomEvents, { roomId });
    await socket.next();
    assert.ok(server.app.liveRooms.isWatched(roomId));
    stream.close();
    socket[Symbol.dispose]();
    await until('nobody watches', () => !server.app.liveRooms.isWatched(roomId));
  });

  it('sets a cookie of this host alone over https, and a plain one over http', async () => {
    const { port } = new URL(nginx.httpsOrigin);
    // A client that is not a page sends no Origin.
    const { cookies } = await post(signIn);
    assert.match(cookies.join(), new RegExp(`^__Host-gapless_token_${port}=.*; Path=/;.*; Secure$`));
    const cookie = String(cookies[0]).split(';')[0] as string;
    assert.equal((await post(me, { cookie })).body.data.viewer.user.name, 'Ada');
    const plain = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
      body: JSON.stringify({ query: signIn }),
    });
    assert.match(plain.headers.get('set-cookie') ?? '', new RegExp(`^gapless_token_${new URL(url).port}=.*; Path=/chat;`));
  });

  it('counts a client by the address that nginx was told by the proxy before it, and not by what the client claims', async () => {
    const env = { BASE_PATH: '/chat', TRUST_PROXY: '2', RATE_LIMITS: '1', RATE_LIMIT_SIGN_IN: '1/h' };
    await using limited = await startServer({ env });
    await using proxy = await startNginx(Number(new URL(limited.url).port), '/chat');
    const codeOf = async (forwarded: string) => {
      const response = await fetch(`${proxy.httpOrigin}/chat/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
        body: JSON.stringify({ query: signIn }),
      });
      const { errors } = (await response.json()) as { errors?: [{ extensions: { code: string } }] };
      return errors?.[0].extensions.code;
    };
    assert.equal(await codeOf('198.51.100.7'), undefined);
    assert.equal(await codeOf('198.51.100.7'), 'RATE_LIMITED');
    assert.equal(await codeOf('203.0.113.1, 198.51.100.7'), 'RATE_LIMITED');
    assert.equal(await codeOf('198.51.100.8'), undefined);
  });

  it('serves the web chat over https: a message arrives in another window, and a reload stays signed in', async () => {
    const browser = await openBrowser();
    try {
      const arrive = (name: string) => Person.arrive(browser, nginx.httpsOrigin, name, { ignoreHTTPSErrors: true }, '/chat/');
      await using ada = await arrive('Ada');
      await using bob = await arrive('Bob');
      await ada.createRoom('Meadow');
      await bob.enter('Meadow');
      await ada.say('Through nginx');
      await bob.message('Through nginx').waitFor();
      await ada.page.reload();
      await ada.message('Through nginx').waitFor();
      assert.ok((await ada.context.cookies()).every(({ name, secure }) => name.startsWith('__Host-') && secure));
      assert.deepEqual([...ada.pageErrors, ...ada.foreignRequests], []);
    } finally {
      await browser.close();
    }
  });
});
