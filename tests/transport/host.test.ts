import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createHostCheck, isLoopback, matches } from '../../src/transport/host.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const local = ['localhost', 'LOCALHOST:4000', 'chat.localhost', '127.0.0.1', '127.0.0.1:80', '127.1.2.3', '[::1]', '[::1]:4000'];
const foreign = [
  ...['evil.example', 'evil.example:4000', 'localhost.evil.example', 'evillocalhost', '127.0.0.1.evil.example', '128.0.0.1', '[::2]'],
  ...['', 'a%b', '[::', 'localhost/', 'localhost@evil.example', 'localhost evil.example', 'evil.example?localhost'],
];

describe('the check of the Host header', () => {
  const answers = (check: ReturnType<typeof createHostCheck>, host: string | undefined) => {
    try {
      check({ headers: { host } } as IncomingMessage);
      return true;
    } catch {
      return false;
    }
  };
  const none = { allowedHosts: [], allowedOrigins: [] };

  for (const address of ['127.0.0.1', '::1', '127.0.1.1', '::ffff:127.0.0.1']) {
    it(`allows only names of this machine at ${address}`, () => {
      const check = createHostCheck(none, address);
      for (const host of local) assert.ok(answers(check, host), host);
      for (const host of foreign) assert.ok(!answers(check, host), host);
      assert.ok(answers(check, undefined));
    });
  }

  it('allows every name at an address that others can reach', () => {
    for (const address of ['0.0.0.0', '::', '192.168.1.5', '10.0.0.1', 'fe80::1']) {
      for (const host of [...local, ...foreign]) assert.ok(answers(createHostCheck(none, address), host), host);
    }
  });

  it('allows the names that are set, at each address, without regard to case and port', () => {
    for (const address of ['127.0.0.1', '0.0.0.0']) {
      const check = createHostCheck({ ...none, allowedHosts: ['chat.example', '*.chat.example', '10.0.0.1'] }, address);
      for (const host of ['chat.example', 'Chat.Example:443', 'a.chat.example', '10.0.0.1:4000', ...local])
        assert.ok(answers(check, host), host);
      for (const host of ['a.b.chat.example', 'xchat.example', '.chat.example', ...foreign]) assert.ok(!answers(check, host), host);
    }
  });

  it('allows the hosts of allowed origins where this machine alone can reach the server', () => {
    const allowedOrigins = ['https://app.example:8443', 'https://*.wild.example', 'capacitor://localhost', 'http://[fe80::1]:3000'];
    const check = createHostCheck({ ...none, allowedOrigins }, '127.0.0.1');
    for (const host of ['app.example', 'app.example:4000', 'a.wild.example', '[fe80::1]']) assert.ok(answers(check, host), host);
    for (const host of ['wild.example', 'other.example']) assert.ok(!answers(check, host), host);
  });

  it('knows the loopback addresses', () => {
    for (const host of ['127.0.0.1', '::1', '0:0:0:0:0:0:0:1', 'localhost', '::ffff:127.0.0.1']) assert.ok(isLoopback(host), host);
    for (const host of ['0.0.0.0', '::', '::ffff:10.0.0.1', 'example.com']) assert.ok(!isLoopback(host), host);
  });

  it('takes a wildcard for one label', () => {
    assert.ok(matches('a.b.example', '*.b.example'));
    for (const host of ['b.example', 'a.a.b.example', 'a.xb.example', '.b.example']) assert.ok(!matches(host, '*.b.example'), host);
  });
});

describe('a server on the loopback address', () => {
  const clock = new ManualClock();
  const { log, lines } = collectLog();
  let server: Server;
  before(async () => {
    server = await startServer({ clock, log });
  });
  after(() => server[Symbol.asyncDispose]());

  async function ask(path: string, host: string, headers: Record<string, string> = {}) {
    const [response] = await once(request(new URL(path, server.url), { headers: { host, ...headers } }).end(), 'response');
    let text = '';
    for await (const chunk of response as IncomingMessage) text += chunk;
    return { status: (response as IncomingMessage).statusCode, text };
  }
  const paths = ['/', '/graphql?query={__typename}', '/assets/x.js', '/nothing'];

  it('refuses other hosts with 421 and the name of the setting, over HTTP and WebSocket', async () => {
    for (const path of paths) {
      const { status, text } = await ask(path, 'evil.example:4000');
      assert.equal(status, 421, path);
      assert.match(text, /evil\.example:4000.*ALLOWED_HOSTS/);
    }
    await assert.rejects(RawSocket.open(server.url, { headers: { host: 'evil.example' } }), /421/);
    // A page that an attacker's name led here: for the browser, it is of the same origin.
    const rebound = { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' };
    assert.equal((await ask('/graphql?query={__typename}', 'evil.example', rebound)).status, 421);
  });

  it('answers to names of this machine', async () => {
    for (const host of local) assert.equal((await ask('/graphql?query={__typename}', host)).status, 200, host);
    using socket = await RawSocket.open(server.url, { headers: { host: 'chat.localhost' } });
    assert.ok(socket.open);
  });

  it('answers supervisors and balancers by any name, and HTTP/1.0 without one', async () => {
    for (const path of ['/health', '/ready', '/ready/database']) assert.equal((await ask(path, 'evil.example')).status, 200);
    const client = connect(Number(new URL(server.url).port), '127.0.0.1');
    client.write('GET / HTTP/1.0\r\n\r\n');
    assert.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 200 /);
    client.destroy();
  });

  it('logs refusals once a minute for an address, with their number', async () => {
    const refused = () => lines.filter(({ msg }) => msg === 'requests were refused').map(({ who, count }) => ({ who, count }));
    // What the tests before this one have caused.
    await clock.advance(60_000);
    await clock.advance(60_000);
    lines.length = 0;
    await ask('/', 'evil.example');
    assert.deepEqual(refused(), [{ who: 'loopback', count: 1 }]);
    for (let more = 0; more < 5; more += 1) await ask('/', 'localhost', {});
    for (let more = 0; more < 5; more += 1) await ask('/graphql', 'localhost', { origin: `https://${more}.example` });
    assert.equal(refused().length, 1);
    await clock.advance(60_000);
    assert.deepEqual(refused(), [
      { who: 'loopback', count: 1 },
      { who: 'loopback', count: 5 },
    ]);
    await clock.advance(60_000);
    await clock.advance(60_000);
    assert.equal(refused().length, 2);
    await ask('/', 'evil.example');
    assert.equal(refused().length, 3);
  });

  it('logs the address of the client and not that of a proxy that is trusted', async () => {
    const written = collectLog();
    await using proxied = await startServer({ env: { TRUST_PROXY: '1' }, log: written.log });
    const clients = ['192.0.2.1', '198.51.100.7, 192.0.2.2', '2001:db8:1:2::3'];
    for (const client of clients) {
      const headers = { origin: 'https://evil.example', 'x-forwarded-for': client };
      assert.equal((await fetch(proxied.url, { headers })).status, 403);
      await assert.rejects(RawSocket.open(proxied.url, { headers }), /403/);
    }
    assert.deepEqual(
      written.lines.filter(({ msg }) => msg === 'requests were refused').map(({ who }) => who),
      ['192.0.2.1', '192.0.2.2', '2001:db8:1:2::/64'],
    );
  });
});
