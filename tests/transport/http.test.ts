import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { schema } from '../../src/schema/index.ts';
import * as gql from '../gql/graphql.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startPostgres } from '../support/postgres.ts';
import { freePort, until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const me = '{ viewer { user { id } } }';
const createRoom = 'mutation { createRoom(input: { name: "Written" }) { room { id } } }';

interface Body {
  readonly data?: { viewer?: { user: { id: string } } | null } | null;
  readonly errors?: readonly { message: string; extensions: { code: string; errorId?: string } }[];
}

describe('the HTTP endpoint', () => {
  let server: Server;
  let ada: Guest;
  let headers: Record<string, string>;
  before(async () => {
    server = await startServer({
      storage: 'PostgreSQL',
      env: { ALLOWED_ORIGINS: 'https://app.example,https://other.example', ALLOWED_HOSTS: 'chat.example' },
    });
    ada = await Guest.signIn(server.url);
    headers = { authorization: `Bearer ${ada.token}`, 'content-type': 'application/json' };
  });
  after(() => server[Symbol.asyncDispose]());

  const roomCount = async () => {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from rooms`.execute(server.app.storage.db);
    return rows[0]?.count;
  };
  const at = (path: string) => new URL(path, server.url);
  const get = (query: string, more: Record<string, string> = {}) =>
    fetch(`${server.url}?${new URLSearchParams({ query })}`, { headers: { authorization: `Bearer ${ada.token}`, ...more } });
  const post = (body: BodyInit, more: Record<string, string> = {}) =>
    fetch(server.url, { method: 'POST', headers: { ...headers, ...more }, body, duplex: 'half' } as RequestInit);
  const codeOf = async (response: Response) => ((await response.json()) as Body).errors?.[0]?.extensions.code;

  describe('by the type of a body', () => {
    const form = new FormData();
    form.set('operations', JSON.stringify({ query: createRoom, variables: {} }));
    form.set('map', '{}');
    const bodies: [string, string | undefined, BodyInit][] = [
      ['urlencoded', 'application/x-www-form-urlencoded', new URLSearchParams({ query: createRoom })],
      ['multipart', undefined, form],
      ['text/plain', 'text/plain', JSON.stringify({ query: createRoom })],
      ['application/graphql', 'application/graphql', createRoom],
      ['without a type', '', JSON.stringify({ query: createRoom })],
      ['of a type that only starts like JSON', 'application/jsonp', JSON.stringify({ query: createRoom })],
      ['of two types', 'text/plain, application/json', JSON.stringify({ query: createRoom })],
    ];
    for (const [what, type, body] of bodies) {
      it(`refuses a mutation whose body is ${what} with 415, and writes nothing`, async () => {
        const before = await roomCount();
        const response = await fetch(server.url, {
          method: 'POST',
          headers: { authorization: `Bearer ${ada.token}`, ...(type === undefined ? {} : { 'content-type': type }) },
          body,
        });
        assert.deepEqual([response.status, await codeOf(response)], [415, 'BAD_USER_INPUT']);
        assert.equal(await roomCount(), before);
      });
    }

    it('takes JSON with a charset, in every spelling', async () => {
      for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
        assert.equal((await post(JSON.stringify({ query: me }), { 'content-type': type })).status, 200);
      }
    });

    for (const [what, body] of [
      ['junk', 'junk'],
      ['nothing', ''],
      ['a list of operations', JSON.stringify([{ query: me }])],
      ['a number', '42'],
      ['null', 'null'],
      ['a query that is no string', '{"query": 42}'],
      ['variables that are no object', '{"query": "{ viewer { user { id } } }", "variables": "x"}'],
      ['a query nested deeper than the parser can recurse', JSON.stringify({ query: '{a'.repeat(60_000) })],
      ['more than 2,000 tokens', JSON.stringify({ query: `{ ${'viewer { id } '.repeat(8000)} }` })],
    ] as const) {
      it(`answers BAD_USER_INPUT to ${what}`, async () => {
        const response = await post(body, { accept: 'application/graphql-response+json' });
        assert.deepEqual([response.status, await codeOf(response)], [400, 'BAD_USER_INPUT']);
      });
    }
  });

  describe('by the size of a body', () => {
    const limit = 128 * 1024;
    const sized = (bytes: number) => JSON.stringify({ query: me }).padEnd(bytes);

    /** Sends the body in chunks, without its length. */
    async function postInPieces(body: string): Promise<number | undefined> {
      const outgoing = request(server.url, { method: 'POST', headers: { ...headers, 'transfer-encoding': 'chunked' } });
      for (let from = 0; from < body.length; from += 16_384) outgoing.write(body.slice(from, from + 16_384));
      outgoing.end();
      const [response] = await once(outgoing, 'response');
      response.resume();
      return response.statusCode;
    }

    it('takes a body of 128 KiB, with Content-Length and without', async () => {
      assert.equal((await post(sized(limit))).status, 200);
      assert.equal(await postInPieces(sized(limit)), 200);
    });

    it('refuses a body of one byte more with 413, with Content-Length and without', async () => {
      const response = await post(sized(limit + 1));
      assert.deepEqual([response.status, await codeOf(response)], [413, 'BAD_USER_INPUT']);
      assert.equal(await postInPieces(sized(limit + 1)), 413);
    });

    it('refuses a body of many megabytes without reading it', async () => {
      const socket = connect(Number(at('/').port), '127.0.0.1');
      socket.write(`POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${1e9}\r\n\r\n`);
      const [answer] = await once(socket, 'data');
      assert.match(String(answer), /^HTTP\/1\.1 413 [\s\S]*connection: close/i);
      socket.destroy();
    });
  });

  describe('by method', () => {
    it('runs a query by GET', async () => {
      assert.deepEqual(await (await get(me)).json(), { data: { viewer: { user: { id: ada.userId } } } });
    });

    it('refuses a mutation by GET with 405, and writes nothing', async () => {
      const before = await roomCount();
      const response = await get(createRoom);
      assert.deepEqual([response.status, response.headers.get('allow'), await codeOf(response)], [405, 'POST', 'BAD_USER_INPUT']);
      assert.equal(await roomCount(), before);
    });

    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      it(`refuses ${method} with 405`, async () => {
        const before = await roomCount();
        const response = await fetch(`${server.url}?${new URLSearchParams({ query: createRoom })}`, {
          method,
          headers,
          body: JSON.stringify({ query: createRoom }),
        });
        assert.equal(response.status, 405);
        assert.equal(await roomCount(), before);
      });
    }
  });

  describe('by Origin', () => {
    const own = () => at('/').origin;
    const foreign = () => [
      'https://evil.example',
      'null',
      'https://app.example.evil.example',
      'http://app.example',
      'https://app.example:444',
      `http://localhost:${Number(at('/').port) + 1}`,
      'junk',
    ];

    it('refuses a foreign origin with 403: for POST, GET, preflight requests and upgrades', async () => {
      const before = await roomCount();
      for (const origin of foreign()) {
        const answers = [
          await post(JSON.stringify({ query: createRoom }), { origin }),
          await get(me, { origin }),
          await get(me, { origin, accept: 'text/event-stream' }),
          await fetch(server.url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } }),
        ];
        for (const response of answers) {
          assert.equal(response.status, 403, origin);
          assert.equal(await codeOf(response), 'FORBIDDEN');
          assert.equal(response.headers.get('access-control-allow-origin'), null);
        }
        await assert.rejects(RawSocket.open(server.url, { headers: { origin } }), /403/);
      }
      assert.equal(await roomCount(), before);
    });

    it('takes an allowed origin and its own, and lets their pages read the answer', async () => {
      for (const origin of ['https://app.example', 'https://other.example', own()]) {
        for (const response of [await post(JSON.stringify({ query: me }), { origin }), await get(me, { origin })]) {
          assert.equal(response.status, 200);
          assert.equal(response.headers.get('access-control-allow-origin'), origin);
          assert.equal(response.headers.get('access-control-allow-credentials'), 'true');
          assert.match(response.headers.get('vary') ?? '', /origin/i);
        }
        using socket = await RawSocket.open(server.url, { headers: { origin } });
        assert.equal(socket.open, true);
      }
    });

    it('tells an allowed origin in the preflight what it may send', async () => {
      const response = await fetch(server.url, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
      assert.equal(response.status, 204);
      assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example');
      assert.equal(response.headers.get('access-control-allow-credentials'), 'true');
      assert.match(response.headers.get('access-control-allow-methods') ?? '', /GET, POST/);
      for (const header of ['authorization', 'content-type', 'last-event-id']) {
        assert.match(response.headers.get('access-control-allow-headers') ?? '', new RegExp(header));
      }
    });

    it('lets pages of an allowed origin read refusals and event streams, too', async () => {
      const origin = 'https://app.example';
      const answers = [
        await post(JSON.stringify({ query: me }), { origin, authorization: 'Bearer junk' }),
        await post('x', { origin, 'content-type': 'text/plain' }),
        await post(JSON.stringify({ query: me }).padEnd(200_000), { origin }),
        await get(me, { origin, accept: 'text/event-stream' }),
        await get('{', { origin, accept: 'text/event-stream' }),
        await get(me, { origin, accept: 'text/event-stream', 'last-event-id': 'complete' }),
      ];
      assert.deepEqual(
        answers.map(({ status }) => status),
        [401, 415, 413, 200, 400, 204],
      );
      for (const response of answers) {
        assert.equal(response.headers.get('access-control-allow-origin'), origin);
        await response.body?.cancel();
      }
    });

    it('takes its own origin behind a proxy that terminates TLS', async () => {
      const outgoing = request(server.url, {
        headers: { host: 'chat.example', origin: 'https://chat.example', accept: 'text/html' },
      }).end();
      const [response] = await once(outgoing, 'response');
      response.resume();
      assert.equal(response.statusCode, 200);
    });

    it('takes requests without an origin, which do not come from a page', async () => {
      const response = await post(JSON.stringify({ query: me }));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('access-control-allow-origin'), null);
    });
  });

  describe('by path', () => {
    it('answers /health, and shows its state at /ready', async () => {
      assert.deepEqual(await (await fetch(at('/health'))).json(), { status: 'ok' });
      // They count in the background too. tests/ready.test.ts knows them.
      const { counts, ...state } = (await (await fetch(at('/ready'))).json()) as { counts: Record<string, object> };
      const { changes: _changes, accounts: _accounts, ...others } = counts;
      assert.deepEqual(
        { ...state, counts: others },
        {
          ready: true,
          database: 'ok',
          redis: 'unused',
          closing: false,
          unknownEntryTypes: [],
          counts: {
            database: { connectionsRefused: 0 },
            redis: {},
            feed: { gapsFound: 0, missedFound: 0, rollbacksFound: 0, reads: 0, retries: 0, stuck: 0 },
            sockets: { waitingBytes: 0, backpressured: 0, stalled: 0 },
          },
        },
      );
    });

    for (const path of ['/nothing', '/graphql/more', '/graphqlx', '/.env', '/health/x', '/graphiql']) {
      it(`has nothing at ${path}`, async () => {
        assert.equal((await fetch(at(path))).status, 404);
      });
    }

    /** The status line that the server answers these bytes with. */
    async function answerTo(text: string): Promise<string> {
      const socket = connect(Number(at('/').port), '127.0.0.1');
      socket.write(text);
      const [answer] = await once(socket, 'data');
      socket.destroy();
      return String(answer).split('\r\n', 1)[0] as string;
    }

    for (const target of ['//', '///', '//%', 'http://', 'http://[', '/%', '/\\', '*', '/graphql%00', 'x:y']) {
      for (const upgrade of [false, true]) {
        it(`answers 4xx to the address ${target}${upgrade ? ' of an upgrade' : ''}, and goes on`, async () => {
          const more = upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : '';
          assert.match(await answerTo(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`), /^HTTP\/1\.1 4\d\d /);
          assert.equal((await fetch(at('/health'))).status, 200);
        });
      }
    }

    it('answers to an absolute address', async () => {
      const path = `/graphql?${new URLSearchParams({ query: me })}`;
      const text = `GET http://elsewhere.example${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`;
      assert.equal(await answerTo(text), 'HTTP/1.1 200 OK');
    });
  });

  describe('to a browser', () => {
    it('shows GraphiQL, which loads nothing from other hosts and has its tabs ready', async () => {
      const response = await get('', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
      assert.match(response.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
      assert.doesNotMatch(response.headers.get('content-security-policy') ?? '', /script-src/);
      const page = await response.text();
      const tags = [...page.matchAll(/<(?:script|link|img|iframe|source|style)\b[^>]*>/g)].map(([tag]) => tag);
      const sources = tags.flatMap((tag) => /(?:src|href)="([^"]+)"/.exec(tag)?.[1] ?? []);
      assert.ok(sources.length > 0);
      for (const source of sources) assert.match(source, /^assets\//);
      assert.doesNotMatch(page, /<style|\son\w+=|https?:\/\//);
      for (const source of sources.filter((each) => /\.(js|css)$/.test(each))) {
        const script = await (await fetch(at(`/${source}`))).text();
        assert.doesNotMatch(script, /@import\s+(?:url\()?["']?(?:https?:)?\/\//);
        assert.doesNotMatch(script, /url\(\s*["']?(?:https?:)?\/\//);
        assert.doesNotMatch(script, /(?:import|importScripts)\(\s*["'`](?:https?:)?\/\//);
        assert.doesNotMatch(script, /unpkg\.com|jsdelivr|cdnjs|esm\.sh|skypack|googleapis/);
      }
      for (const tab of ['signIn(', 'createRoom(', 'roomEvents(', 'sendMessage(']) assert.ok(page.includes(tab), tab);
      assert.ok(page.includes('"subscriptionsProtocol":"WS"'));
    });
  });
});

describe('an unforeseen failure of the database', () => {
  it('is UNAVAILABLE over HTTP, WebSocket and SSE, and logged once with nothing of what was sent', async () => {
    const { log, lines } = collectLog();
    await using place = await createPlace('PostgreSQL');
    await using server = await startServer({ env: place.env, log });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using socket = await RawSocket.signedIn(server.url, ada.token);
    await sql`drop table messages cascade`.execute(server.app.storage.db);

    const view = 'query ($roomId: ID!) { room(id: $roomId) { messages(first: 1) { syncCursor } } }';
    const send = 'mutation ($roomId: ID!) { sendMessage(input: { roomId: $roomId, body: "Between us" }) { message { id } } }';
    const sse = await fetch(`${server.url}?${new URLSearchParams({ query: view, variables: JSON.stringify({ roomId }) })}`, {
      headers: { authorization: `Bearer ${ada.token}`, accept: 'text/event-stream' },
    });
    const answers = [
      (await ada.ask(send, { roomId })).errors,
      (await ada.ask(view, { roomId })).errors,
      (await socket.ask('1', send, { roomId })).payload.errors,
      JSON.parse(/data: (\{.*\})/.exec(await sse.text())?.[1] ?? '{}').errors,
    ];
    for (const [error, ...more] of answers) {
      assert.deepEqual(more, []);
      assert.deepEqual(error.extensions, { code: 'UNAVAILABLE', retryAfterMs: 1000 });
      assert.doesNotMatch(JSON.stringify(error), /messages.*does not exist|relation|42P01|at .*\.ts/);
    }
    const logged = lines.filter(({ level }) => level === 'warn' || level === 'error');
    assert.equal(logged.length, 1);
    assert.match(JSON.stringify(logged), /does not exist/);
    assert.doesNotMatch(JSON.stringify(lines), /Between us/);
  });
});

describe('an unforeseen error', () => {
  it('is masked and logged once, under the id that the client gets, over HTTP, WebSocket and SSE', async (t) => {
    const { log, lines } = collectLog();
    await using place = await createPlace('PostgreSQL');
    await using server = await startServer({ env: place.env, log });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using socket = await RawSocket.signedIn(server.url, ada.token);
    // As an error of the database does, it carries what was sent.
    const fail = () => {
      throw Object.assign(new Error('relation "messages" does not exist'), { parameters: ['Between us'] });
    };
    for (const field of [schema.getQueryType()?.getFields()['room'], schema.getMutationType()?.getFields()['sendMessage']])
      t.mock.method(field as unknown as { resolve: () => never }, 'resolve', fail);

    const view = 'query ($roomId: ID!) { room(id: $roomId) { messages(first: 1) { syncCursor } } }';
    const send = 'mutation ($roomId: ID!) { sendMessage(input: { roomId: $roomId, body: "Between us" }) { message { id } } }';
    const sse = await fetch(`${server.url}?${new URLSearchParams({ query: view, variables: JSON.stringify({ roomId }) })}`, {
      headers: { authorization: `Bearer ${ada.token}`, accept: 'text/event-stream' },
    });
    const answers = [
      (await ada.ask(send, { roomId })).errors,
      (await ada.ask(view, { roomId })).errors,
      (await socket.ask('1', send, { roomId })).payload.errors,
      JSON.parse(/data: (\{.*\})/.exec(await sse.text())?.[1] ?? '{}').errors,
    ];
    for (const [error, ...more] of answers) {
      assert.deepEqual(more, []);
      assert.equal(error.extensions.code, 'INTERNAL');
      assert.doesNotMatch(JSON.stringify(error), /messages.*does not exist|relation|42P01|at .*\.ts/);
      const logged = lines.filter((line) => line['errorId'] === error.extensions.errorId);
      assert.equal(logged.length, 1);
      assert.match(JSON.stringify(logged), /does not exist/);
    }
    assert.equal(lines.filter(({ level }) => level === 'error').length, answers.length);
    assert.doesNotMatch(JSON.stringify(lines), /Between us/);
  });
});

describe('a server whose database goes away', () => {
  it('lives, stays ready, answers UNAVAILABLE everywhere, and goes on when the database is back', async () => {
    await using postgres = await startPostgres();
    await using server = await startServer({ env: { DATABASE_URL: postgres.url, IDENTITY: 'guest' } });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    // The server does not know yet that they have a row.
    const newcomer = await Guest.signIn(server.url);
    using anonymous = await RawSocket.signedIn(server.url);
    const ready = async () => {
      const response = await fetch(new URL('/ready', server.url));
      return [response.status, ((await response.json()) as { database: string }).database];
    };
    assert.deepEqual(await ready(), [200, 'ok']);

    await postgres.stop();
    await until('the node knows', async () => (await ready())[1] === 'unavailable');
    assert.deepEqual(await ready(), [200, 'unavailable']);
    assert.equal((await fetch(new URL('/health', server.url))).status, 200);

    const response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${newcomer.token}` },
      body: JSON.stringify({ query: me }),
    });
    const { errors } = (await response.json()) as { errors: { extensions: { code: string; retryAfterMs: number } }[] };
    assert.deepEqual([response.status, errors[0]?.extensions], [503, { code: 'UNAVAILABLE', retryAfterMs: 1000 }]);
    const overSocket = await anonymous.ask('1', 'mutation { signIn(input: { name: "Bea" }) { token } }');
    assert.equal(overSocket.payload.errors[0].extensions.code, 'UNAVAILABLE');
    // Clients of graphql-ws retry after 1013; 1011 and 44xx are final for them.
    using socket = await RawSocket.open(server.url);
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${newcomer.token}` } });
    assert.equal((await socket.closed).code, 1013);
    await assert.rejects(RawSocket.open(server.url, { headers: { authorization: `Bearer ${newcomer.token}` } }), /503/);

    await postgres.start();
    await until('the node knows', async () => (await ready())[1] === 'ok');
    assert.equal((await ada.must(gql.RoomViewDocument, { id: roomId })).room?.id, roomId);
  });
});

describe('a server that stops', () => {
  it('closes connections at once that wait for their next request, or their first', async () => {
    const server = await startServer({ storage: 'PostgreSQL' });
    const port = Number(new URL(server.url).port);
    const connections = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    const [used] = connections;
    for (const connection of connections) connection.on('error', () => {});
    const ended = connections.map((connection) => once(connection, 'close'));
    used?.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(used as Socket, 'data');
    const from = performance.now();
    await server[Symbol.asyncDispose]();
    // Requests that are under way may take 12 seconds.
    assert.ok(performance.now() - from < 6000);
    await Promise.all(ended);
  });

  it('waits 12 s, and no longer, for requests that never end', async () => {
    const clock = new ManualClock();
    const server = await startServer({ storage: 'PostgreSQL', clock });
    const { port } = new URL(server.url);
    const send = async (text: string) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(text);
      return once(socket, 'close');
    };
    const ended = [
      send('GET /graphql HT'),
      send('POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"query"'),
      send('GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: webs'),
    ];
    await fetch(new URL('/health', server.url));
    const closing = server[Symbol.asyncDispose]();
    await clock.advance(12_000);
    await closing;
    await Promise.all(ended);
    await assert.rejects(fetch(server.url));
    // The port is free again.
    assert.notEqual(await freePort(), Number(port));
  });
});
