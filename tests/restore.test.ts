// A database that has gone back in time: from a dump, a copy, or a standby that lagged. Whoever was shown what has never
// been is told CURSOR_EXPIRED, on every way to resume; the others go on, and their streams stay open.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import * as gql from './gql/graphql.ts';
import { EventStream } from './support/event-stream.ts';
import { type Postgres, startPostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, type Server, startServer } from './support/server.ts';
import { range } from './support/storage.ts';
import { refuseEventStream, Watch } from './support/watch.ts';

const events = 'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { __typename cursor } }';
const messages = 'query ($id: ID!, $after: String) { room(id: $id) { messages(first: 1, after: $after) { syncCursor } } }';

/** Sends, and gives the cursors of what was acknowledged. */
async function send(guest: Guest, roomId: string, bodies: readonly string[]): Promise<string[]> {
  const cursors: string[] = [];
  for (const body of bodies) cursors.push((await guest.send(roomId, body)).message.cursor);
  return cursors;
}

/** Sends until it is taken, as clients do while the database is away. */
async function sendSoon(guest: Guest, roomId: string, body: string): Promise<void> {
  const key = crypto.randomUUID();
  await until('a message is taken', () =>
    guest.send(roomId, body, key).then(
      () => true,
      () => false,
    ),
  );
}

async function syncCursorOf(guest: Guest, roomId: string): Promise<string> {
  return (await guest.must(gql.RoomViewDocument, { id: roomId, last: 1 })).room?.messages.syncCursor as string;
}

/** That a cursor is refused as CURSOR_EXPIRED wherever it can be shown. */
async function assertExpired(guest: Guest, roomId: string, after: string): Promise<void> {
  assert.equal(await guest.refusal(messages, { id: roomId, after }), 'CURSOR_EXPIRED');
  await using watch = new Watch(guest, events, { roomId, after });
  assert.equal((await watch.ended)?.[0]?.extensions.code, 'CURSOR_EXPIRED');
  const { status, errors } = await refuseEventStream(guest.url, guest.token, events, { roomId, after });
  assert.ok(status >= 400);
  assert.equal(errors?.[0]?.extensions.code, 'CURSOR_EXPIRED');
}

/** That a cursor leads on, wherever it can be shown, to messages of these bodies and nothing else. */
async function assertLeadsTo(guest: Guest, roomId: string, after: string, bodies: readonly string[]): Promise<void> {
  const { room } = await guest.must(gql.RoomViewDocument, { id: roomId, first: 100, after });
  assert.deepEqual(
    room?.messages.edges.map(({ node }) => node.body),
    bodies,
  );
  await using watch = new Watch(guest, gql.MessageAddedDocument, { roomId, after } as never);
  assert.deepEqual(
    (await watch.take(bodies.length)).map(({ messageAdded }) => messageAdded.body),
    bodies,
  );
  using stream = await EventStream.watch(guest, { roomId }, { 'last-event-id': after });
  for (const body of bodies) assert.equal((await stream.nextMessage()).body, body);
}

/** Two rooms with watchers by both transports: one whose end will be undone, one that nothing happens to meanwhile. */
class Scene implements AsyncDisposable {
  readonly guest: Guest;
  readonly undone: { roomId: string; watch: Watch<gql.MessageAddedSubscription>; stream: EventStream };
  readonly kept: { roomId: string; watch: Watch<gql.MessageAddedSubscription>; stream: EventStream };

  private constructor(guest: Guest, undone: Scene['undone'], kept: Scene['kept']) {
    this.guest = guest;
    this.undone = undone;
    this.kept = kept;
  }

  static async open(server: Server): Promise<Scene> {
    const guest = await Guest.signIn(server.url);
    const openRoom = async () => {
      const roomId = await guest.createRoom();
      const cursor = await syncCursorOf(guest, roomId);
      const watch = new Watch(guest, gql.MessageAddedDocument, { roomId, after: cursor } as never);
      return { roomId, watch, stream: await EventStream.watch(guest, { roomId, after: cursor }) };
    };
    return new Scene(guest, await openRoom(), await openRoom());
  }

  /** That both streams of the room have handed over messages of these bodies, from the first on. */
  static async assertSeen({ watch, stream }: Scene['undone'], bodies: readonly string[]): Promise<void> {
    const seen = await watch.take(bodies.length);
    assert.deepEqual(
      seen.map(({ messageAdded }) => messageAdded.body),
      bodies,
    );
    for (const body of bodies) assert.equal((await stream.nextMessage()).body, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { watch, stream } of [this.undone, this.kept]) {
      stream.close();
      await watch[Symbol.asyncDispose]();
    }
  }
}

/** What is to be seen after two messages, more of which `goBack` undoes those of `lost`. */
async function assertGoesBack(server: Server, save: () => Promise<void>, goBack: () => Promise<void>): Promise<void> {
  await using scene = await Scene.open(server);
  const { guest, undone, kept } = scene;
  const [first, second] = (await send(guest, undone.roomId, ['one', 'two'])) as [string, string];
  await send(guest, kept.roomId, ['one']);
  await save();
  await sendSoon(guest, undone.roomId, 'lost');
  const [lost] = (await send(guest, undone.roomId, ['lost too'])) as [string];
  const lostSync = await syncCursorOf(guest, undone.roomId);
  await Scene.assertSeen(undone, ['one', 'two', 'lost', 'lost too']);
  await goBack();

  // The log grows again, also beyond where it was.
  for (const body of ['three', 'four', 'five']) await sendSoon(guest, undone.roomId, body);
  assert.equal((await undone.watch.ended)?.[0]?.extensions.code, 'CURSOR_EXPIRED');
  const last = JSON.parse((await undone.stream.nextData())?.data ?? '{}') as { errors?: [{ extensions: { code: string } }] };
  assert.equal(last.errors?.[0].extensions.code, 'CURSOR_EXPIRED');
  for (const cursor of [lost, lostSync]) await assertExpired(guest, undone.roomId, cursor);
  await assertLeadsTo(guest, undone.roomId, first, ['two', 'three', 'four', 'five']);
  await assertLeadsTo(guest, undone.roomId, second, ['three', 'four', 'five']);

  await sendSoon(guest, kept.roomId, 'two');
  await Scene.assertSeen(kept, ['one', 'two']);
}

describe('a copied data folder', () => {
  it('has cursors that are good in both while both are the same, and in its own from then on', async () => {
    await using cleanup = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'gapless-copies-'));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const [original, copied] = [join(folder, 'original'), join(folder, 'copied')];
    let guest: Guest;
    let roomId: string;
    let shared: string[];
    {
      await using server = await startServer({ env: { DATA_DIR: original } });
      guest = await Guest.signIn(server.url);
      roomId = await guest.createRoom();
      shared = await send(guest, roomId, ['one', 'two']);
      shared.push(await syncCursorOf(guest, roomId));
    }
    cpSync(original, copied, { recursive: true });
    const servers = [
      cleanup.use(await startServer({ env: { DATA_DIR: original } })),
      cleanup.use(await startServer({ env: { DATA_DIR: copied } })),
    ];
    const [here, there] = servers.map(({ url }) => guest.at(url)) as [Guest, Guest];
    for (const at of [here, there]) await assertLeadsTo(at, roomId, shared[0] as string, ['two']);
    const [cursorHere] = (await send(here, roomId, ['here', 'and here'])) as [string];
    const [cursorThere] = (await send(there, roomId, ['there', 'and there'])) as [string];
    const syncHere = await syncCursorOf(here, roomId);
    for (const cursor of shared.slice(1)) {
      await assertLeadsTo(here, roomId, cursor, ['here', 'and here']);
      await assertLeadsTo(there, roomId, cursor, ['there', 'and there']);
    }
    await assertLeadsTo(here, roomId, cursorHere, ['and here']);
    for (const cursor of [cursorHere, syncHere]) await assertExpired(there, roomId, cursor);
    await assertExpired(here, roomId, cursorThere);
  });
});

describe('a PostgreSQL that goes back in time under a running server', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres[Symbol.asyncDispose]());

  /** Asks the server, past whatever database is being replaced. */
  const ask = async (...statements: string[]) => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  /** Runs statements that need a database to be nobody's, between two connections of ours. */
  const askAlone = (database: string, ...statements: string[]) =>
    until(`${database} is free`, () =>
      ask(`select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = '${database}'`, ...statements).then(
        () => true,
        ({ code }) => {
          if (code === '55006') return false;
          throw new Error(`It ended with ${code}.`);
        },
      ),
    );
  const startOn = (url: string) => startServer({ env: { DATABASE_URL: url, IDENTITY: 'guest', DATABASE_POOL_SIZE: '4' } });

  it('tells who was shown what an older dump does not have, and goes on for the others', { timeout: 120_000 }, async () => {
    await ask('create database chat');
    const url = new URL(postgres.url);
    url.pathname = '/chat';
    await using server = await startOn(url.href);
    // A copy that the server makes is to a client what pg_dump and pg_restore make.
    await assertGoesBack(
      server,
      () => askAlone('chat', 'create database dump template chat'),
      () => askAlone('chat', 'alter database chat rename to old', 'alter database dump rename to chat'),
    );
  });

  it('tells who was shown what a standby had not received, and goes on for the others', { timeout: 120_000 }, async () => {
    await ask('create database failover');
    const url = new URL(postgres.url);
    url.pathname = '/failover';
    await using server = await startOn(url.href);
    let standby: Postgres | undefined;
    try {
      await assertGoesBack(
        server,
        async () => {
          await postgres.stop();
          standby = await postgres.copy();
          await postgres.start();
        },
        async () => {
          await postgres.stop('SIGQUIT');
          await standby?.start();
        },
      );
    } finally {
      await standby?.[Symbol.asyncDispose]();
      await postgres.start();
    }
  });

  it('keeps every stream open over a failover that loses nothing', { timeout: 120_000 }, async () => {
    await ask('create database lossless');
    const url = new URL(postgres.url);
    url.pathname = '/lossless';
    await using server = await startOn(url.href);
    await using scene = await Scene.open(server);
    const { guest, kept } = scene;
    const bodies = range(1, 5).map((i) => `before ${i}`);
    const cursors = await send(guest, kept.roomId, bodies);
    const sync = await syncCursorOf(guest, kept.roomId);
    await postgres.stop('SIGQUIT');
    const standby = await postgres.copy();
    try {
      await standby.start();
      await sendSoon(guest, kept.roomId, 'after');
      await Scene.assertSeen(kept, [...bodies, 'after']);
      for (const cursor of [cursors.at(-1) as string, sync]) await assertLeadsTo(guest, kept.roomId, cursor, ['after']);
      assert.equal(server.app.liveRooms.counts.rollbacksFound, 0);
    } finally {
      await standby[Symbol.asyncDispose]();
      await postgres.start();
    }
  });
});
