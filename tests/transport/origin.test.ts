import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const me = '{ viewer { user { id } } }';
const allowed = 'https://app.example,https://*.wild.example,http://*.port.example:3000,capacitor://localhost,chrome-extension://abcdef';

describe('the origin of a page', () => {
  let server: Server;
  let ada: Guest;
  before(async () => {
    server = await startServer({ env: { ALLOWED_ORIGINS: allowed, ALLOWED_HOSTS: 'chat.example,node-1' } });
    ada = await Guest.signIn(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  async function ask(headers: Record<string, string>, method = 'GET') {
    const url = `${server.url}?${new URLSearchParams({ query: me })}`;
    const [response] = await once(request(url, { method, headers }).end(), 'response');
    let text = '';
    for await (const chunk of response as IncomingMessage) text += chunk;
    return { status: (response as IncomingMessage).statusCode, headers: (response as IncomingMessage).headers, text };
  }
  const cookie = () => `gapless_token=${ada.token}`;
  const isAda = ({ text }: { text: string }) => text.includes(ada.userId);

  it('is allowed by name, by one wildcard label, and for pages of apps and extensions', async () => {
    for (const origin of [
      ...[
        'https://app.example',
        'https://a.wild.example',
        'http://b.port.example:3000',
        'capacitor://localhost',
        'chrome-extension://abcdef',
      ],
    ]) {
      const answer = await ask({ origin, cookie: cookie() });
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin'], isAda(answer)], [200, origin, true], origin);
      using socket = await RawSocket.open(server.url, { headers: { origin } });
      assert.ok(socket.open);
    }
  });

  it('is refused otherwise, null included', async () => {
    for (const origin of [
      ...['null', 'https://wild.example', 'https://a.b.wild.example', 'http://a.wild.example', 'https://a.wild.example:444'],
      ...['https://awild.example', 'https://a.wild.example.evil.example', 'https://evil.example/.wild.example', 'https://.wild.example'],
      ...['http://b.port.example', 'capacitor://localhost.evil', 'capacitor://evil', 'chrome-extension://other', 'https://a.wild.example/'],
    ]) {
      const answer = await ask({ origin, cookie: cookie() });
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [403, undefined], origin);
      await assert.rejects(RawSocket.open(server.url, { headers: { origin } }), /403/);
      // ALLOWED_ORIGINS may not contain null, nor an origin with a path.
      assert.equal(answer.text.includes('ALLOWED_ORIGINS'), /^[a-z-]+:\/\/[^/]+$/.test(origin), origin);
    }
  });

  it('is the own one if it has the host of the request, without regard to case and default port', async () => {
    for (const [origin, host] of [
      ['https://chat.example', 'chat.example'],
      ['https://chat.example', 'Chat.Example:443'],
      ['http://chat.example', 'CHAT.EXAMPLE:80'],
      ['http://chat.example:8080', 'chat.example:8080'],
    ] as const) {
      assert.equal((await ask({ origin, host })).status, 200, `${origin} at ${host}`);
      using socket = await RawSocket.open(server.url, { headers: { origin, host } });
      assert.ok(socket.open);
    }
    for (const [origin, host] of [
      ['https://chat.example', 'chat.example:80'],
      ['https://chat.example:444', 'chat.example'],
      ['https://node-1', 'chat.example'],
      ['ftp://chat.example', 'chat.example'],
    ] as const) {
      assert.equal((await ask({ origin, host })).status, 403, `${origin} at ${host}`);
    }
  });

  it('is refused behind a proxy that replaces the Host header, with the header that is wrong', async () => {
    for (const headers of [
      { host: 'node-1', origin: 'https://chat.example', 'sec-fetch-site': 'same-origin' },
      { host: 'node-1', origin: 'https://chat.example', 'x-forwarded-host': 'chat.example' },
      { host: 'node-1', origin: 'https://chat.example', 'x-forwarded-host': 'chat.example, inner.example' },
      { host: 'chat.example', origin: 'https://chat.example:8443' },
    ]) {
      const { status, text } = await ask(headers);
      assert.equal(status, 403);
      assert.match(text, new RegExp(`Host header by ${headers.host}: .*proxy_set_header Host .* ${headers.origin} to ALLOWED_ORIGINS`));
    }
    for (const headers of [
      { host: 'node-1', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { host: 'localhost:4000', origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' },
    ]) {
      const { text } = await ask(headers);
      assert.doesNotMatch(text, /proxy/);
      assert.match(text, /ALLOWED_ORIGINS/);
    }
  });

  it('does not name ALLOWED_ORIGINS where it cannot contain the origin', async () => {
    for (const origin of ['null', 'file://', 'app://gapless', 'https://ada@app.example', 'x']) {
      const { status, text } = await ask({ origin });
      assert.equal(status, 403, origin);
      assert.doesNotMatch(text, /ALLOWED_ORIGINS/, origin);
    }
  });

  it('decides whether a cookie counts: not in a request that a page of another site has caused', async () => {
    const origin = 'https://app.example';
    for (const site of ['cross-site', 'same-site']) {
      assert.ok(!isAda(await ask({ cookie: cookie(), 'sec-fetch-site': site })), site);
      assert.ok(isAda(await ask({ cookie: cookie(), 'sec-fetch-site': site, origin })), site);
      assert.ok(isAda(await ask({ authorization: `Bearer ${ada.token}`, 'sec-fetch-site': site })), site);
      using socket = await RawSocket.open(server.url, { headers: { cookie: cookie(), 'sec-fetch-site': site } });
      socket.send({ type: 'connection_init' });
      assert.equal((await socket.next()).type, 'connection_ack');
      assert.equal((await socket.ask('1', me)).payload.data.viewer, null);
    }
    for (const site of ['same-origin', 'none']) assert.ok(isAda(await ask({ cookie: cookie(), 'sec-fetch-site': site })), site);
    assert.ok(isAda(await ask({ cookie: cookie() })));
  });

  it('may send the headers that a preflight asks for, and keeps the answer for two hours', async () => {
    const preflight = async (asked: string) =>
      (await ask({ origin: 'https://app.example', 'access-control-request-headers': asked }, 'OPTIONS')).headers;
    const answer = await preflight('X-Trace, apollo-require-preflight,authorization');
    const allowed = 'authorization, content-type, last-event-id, gapless-viewer, x-trace, apollo-require-preflight';
    assert.equal(answer['access-control-allow-headers'], allowed);
    assert.equal(answer['access-control-max-age'], '7200');
    assert.match(answer['vary'] ?? '', /origin, access-control-request-headers/);
    for (const wrong of ['x y', 'a:b', '"x"', 'x'.repeat(101), Array.from({ length: 51 }, (_, i) => `x-${i}`).join(), 'ö']) {
      const { 'access-control-allow-headers': headers } = await preflight(Buffer.from(wrong).toString('latin1'));
      assert.equal(headers, 'authorization, content-type, last-event-id, gapless-viewer', wrong);
    }
  });
});
