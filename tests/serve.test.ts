// The program: what it prints, and how it ends.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';
import * as gql from './gql/graphql.ts';
import { createDataFolder } from './support/data-template.ts';
import { EventStream } from './support/event-stream.ts';
import { Lock } from './support/lock.ts';
import { startProgram } from './support/node.ts';
import { freePort, listenOn, type Program, start, until } from './support/process.ts';
import { createPlace, Guest } from './support/server.ts';
import { RawSocket } from './support/socket.ts';

function launch(env: Record<string, string>, flags: string[] = []): Program {
  return startProgram({ PATH: process.env['PATH'] ?? '', PORT: '0', ...env }, flags);
}

/** Waits until the program listens, and returns its GraphQL endpoint. */
async function urlOf(program: Program): Promise<string> {
  const listens = () => {
    if (!program.running) throw new Error(`The server ended:\n${program.output()}`);
    return /Gapless is listening/.test(program.output());
  };
  await until('the server listens', listens, 60_000);
  return /GraphQL at (\S+)"/.exec(program.output())?.[1] as string;
}

const folder = mkdtempSync(join(tmpdir(), 'gapless-serve-'));
const file = join(folder, 'file');
writeFileSync(file, '');
const folders = [folder];
after(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});
const dataFolder = () => {
  const created = createDataFolder();
  folders.push(created);
  return created;
};

/** A server that accepts connections and never answers. */
const silent = createServer();
const takenPort = await listenOn(silent);
after(() => silent.close());

describe('a start that fails', { concurrency: 4 }, () => {
  const database = new URL(process.env['DATABASE_URL'] as string);
  const cases: [string, () => Promise<Record<string, string>> | Record<string, string>, RegExp][] = [
    ['a wrong setting', () => ({ PORT: 'http' }), /^PORT /],
    ['a cluster without an identity', () => ({ DATABASE_URL: database.href }), /^IDENTITY /],
    ['a file in place of the data folder', () => ({ DATA_DIR: file }), /^DATA_DIR /],
    ['a data folder below a file', () => ({ DATA_DIR: join(file, 'data') }), /^DATA_DIR /],
    ['a misspelled DATABASE_URL', () => ({ DATABSE_URL: 'postgres://gapless:hunter2@127.0.0.1/gapless' }), /^DATABSE_URL is not a setting/],
    ['a secret in a file that is not there', () => ({ DATABASE_URL_FILE: join(folder, 'nowhere') }), /^DATABASE_URL_FILE names /],
    ['an address without its interface', () => ({ HOST: 'fe80::1', DATA_DIR: dataFolder() }), /^HOST fe80::1 /],
    [
      'a port in use',
      () => ({ DATABASE_URL: database.href, IDENTITY: 'guest', PORT: String(takenPort) }),
      new RegExp(`^PORT ${takenPort} `),
    ],
    ['a host of another machine', () => ({ DATABASE_URL: database.href, IDENTITY: 'guest', HOST: '192.0.2.1' }), /^HOST /],
    [
      'a database that refuses connections',
      async () => ({ DATABASE_URL: `postgres://gapless:hunter2@127.0.0.1:${await freePort()}/gapless`, IDENTITY: 'guest' }),
      /^DATABASE_URL/,
    ],
    [
      'a database that never answers',
      () => ({ DATABASE_URL: `postgres://gapless:hunter2@127.0.0.1:${takenPort}/gapless`, IDENTITY: 'guest' }),
      /^DATABASE_URL/,
    ],
    [
      'a database that does not exist',
      () => ({ DATABASE_URL: new URL('/gapless_nowhere', database).href, IDENTITY: 'guest' }),
      /^DATABASE_URL/,
    ],
    [
      'a database whose host has no address',
      () => ({ DATABASE_URL: 'postgres://gapless:hunter2@gapless.invalid/gapless', IDENTITY: 'guest' }),
      /^DATABASE_URL/,
    ],
  ];
  for (const [name, env, sentence] of cases) {
    it(`ends with exit 1 and one sentence: ${name}`, async () => {
      const program = launch(await env());
      assert.equal(await program.exited, 1, program.output());
      assert.match(program.output(), sentence);
      assert.match(program.output(), /^[^\n]+\.\n$/);
      assert.doesNotMatch(program.output(), /hunter2|\n\s+at /);
    });
  }

  it('ends with exit 1 and one sentence: a Node that is too old', async () => {
    const preload = join(folder, 'old-node.cjs');
    writeFileSync(preload, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.18.0' } });`);
    const program = launch({}, ['--require', preload]);
    assert.equal(await program.exited, 1);
    assert.match(program.output(), /^Gapless needs Node 24 [^\n]* Node 22\.18\.0[^\n]*\.\n$/);
  });
});

describe('a start', () => {
  it('says which folder it uses, in full, and which variable looks misspelled', async () => {
    const data = dataFolder();
    const program = launch({ DATA_DIR: relative(process.cwd(), data), RETENTION_DAY: '3' });
    try {
      await urlOf(program);
      const lines = program
        .output()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { level: string; msg: string; storage?: string });
      assert.equal(lines.at(-1)?.storage, `embedded, in ${data}`);
      assert.deepEqual(
        lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
        ['RETENTION_DAY is not a setting: is RETENTION_DAYS meant?'],
      );
    } finally {
      await program.stop('SIGKILL');
    }
  });
});

describe('the address that is printed', () => {
  for (const [what, env, expected] of [
    ['an IPv6 address', { HOST: '::1' }, /^http:\/\/\[::1\]:\d+\/graphql$/],
    ['every IPv4 address', { HOST: '0.0.0.0' }, /^http:\/\/localhost:\d+\/graphql$/],
    ['every address', { HOST: '::' }, /^http:\/\/localhost:\d+\/graphql$/],
    ['a path', { BASE_PATH: '/chat' }, /^http:\/\/localhost:\d+\/chat\/graphql$/],
  ] as const) {
    it(`works: ${what}`, async () => {
      await using place = await createPlace('PostgreSQL');
      const program = launch({ ...place.env, DRAIN_DELAY_MS: '0', ...env });
      try {
        const url = await urlOf(program);
        assert.match(url, expected);
        const [, page = ''] = /the chat is at (\S+),/.exec(program.output()) ?? [];
        assert.equal((await fetch(page)).status, 200);
        await (await Guest.signIn(url)).createRoom();
      } finally {
        await program.stop();
      }
    });
  }
});

describe('a stop', () => {
  async function launched(env: Record<string, string> = {}) {
    await using stack = new AsyncDisposableStack();
    const place = stack.use(await createPlace('PostgreSQL'));
    const program = launch({ ...place.env, ...env });
    stack.defer(async () => void (await program.stop('SIGKILL')));
    const url = await urlOf(program);
    const opened = stack.move();
    const databaseUrl = place.env['DATABASE_URL'] as string;
    return { program, url, databaseUrl, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`by ${signal} exits with 0 at once if no connection is open`, async () => {
      // With the wait for the balancer, it would take these 10 seconds.
      await using server = await launched({ DRAIN_DELAY_MS: '10000' });
      const from = performance.now();
      assert.equal(await server.program.stop(signal), 0);
      assert.ok(performance.now() - from < 10_000);
    });
  }

  it('of npm start stops the server, not only npm', async () => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', DATA_DIR: dataFolder() };
    const npm = start('npm', ['start'], { cwd: join(import.meta.dirname, '..'), env });
    const url = await urlOf(npm);
    assert.equal(await npm.stop(), 0);
    assert.match(npm.output(), /SIGTERM: closing/);
    await assert.rejects(fetch(url), TypeError);
  });

  it('closes sockets with 1012, ends event streams without complete, and exits with 0', async () => {
    await using server = await launched();
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using socket = await RawSocket.signedIn(server.url, ada.token);
    socket.subscribe('1', 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename } }', { roomId });
    assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    using events = await EventStream.watch(ada, { roomId });
    assert.notEqual((await events.next())?.id, undefined);

    const exited = server.program.stop();
    assert.equal((await socket.closed).code, 1012);
    assert.equal(await events.next(), undefined);
    assert.equal(await exited, 0);
  });

  it('is not ready while it waits for the balancer, and still answers', async () => {
    await using server = await launched({ DRAIN_DELAY_MS: '10000' });
    const ready = new URL('/ready', server.url);
    using socket = await RawSocket.signedIn(server.url, (await Guest.signIn(server.url)).token);
    assert.equal((await fetch(ready)).status, 200);
    const exited = server.program.stop();
    await until('the server is not ready', async () => (await fetch(ready)).status === 503);
    assert.equal((await socket.ask('1', '{ viewer { id } }')).type, 'next');
    await Guest.signIn(server.url);
    server.program.child.kill('SIGKILL');
    await exited;
  });

  it('lets running mutations finish, over HTTP and WebSocket', async () => {
    await using server = await launched();
    const ada = await Guest.signIn(server.url);
    const [overHttp, overSocket] = [await ada.createRoom(), await ada.createRoom()];
    using socket = await RawSocket.signedIn(server.url, ada.token);

    await using lock = await Lock.take(server.databaseUrl, 'select 1 from rooms for update');
    const sent = ada.send(overHttp, 'Hello');
    sent.catch(() => {});
    socket.subscribe('1', 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { number } } }', {
      input: { roomId: overSocket, body: 'Hello' },
    });
    await until('both sends wait for their rooms', async () => (await lock.waiting()) === 2);
    const exited = server.program.stop();
    await until('the server is closing', () => /SIGTERM: closing/.test(server.program.output()));
    await lock.release();

    assert.equal((await sent).message.number, 1);
    assert.equal((await socket.next()).payload.data.sendMessage.message.number, 1);
    assert.equal((await socket.closed).code, 1012);
    assert.equal(await exited, 0);
  });
});

describe('the embedded data folder', () => {
  it('is refused to a second process, and keeps what was acknowledged', async () => {
    const env = { DATA_DIR: dataFolder() };
    const first = launch(env);
    const ada = await Guest.signIn(await urlOf(first));
    const roomId = await ada.createRoom();

    const second = launch(env);
    assert.equal(await second.exited, 1);
    assert.match(second.output(), /^DATA_DIR .* in use [^\n]+\.\n$/);

    await ada.send(roomId, 'Here to stay');
    assert.equal(await first.stop(), 0);
    const third = launch(env);
    const { room } = await ada.at(await urlOf(third)).must(gql.RoomViewDocument, { id: roomId });
    assert.equal(room?.messages.edges[0]?.node.body, 'Here to stay');
    assert.equal(await third.stop(), 0);
  });
});
