// The database is rolled back: by a dump, a copy, or a lagging standby. A client that received entries that are gone gets
// CURSOR_EXPIRED, however it resumes. The others continue, and their streams stay open.

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

/** Sends messages and returns their cursors. */
async function send(guest: Guest, roomId: string, bodies: readonly string[]): Promise<string[]> {
  const cursors: string[] = [];
  for (const body of bodies) cursors.push((await guest.send(roomId, body)).message.cursor);
  return cursors;
}

/** Retries a send until it is acknowledged, as clients do while the database is away. */
async function sendWithRetry(guest: Guest, roomId: string, body: string): Promise<void> {
  const key = crypto.randomUUID();
  await until('a message is acknowledged', () =>
    guest.send(roomId, body, key).then(
      () => true,
      () => false,
    ),
  );
}

async function syncCursorOf(guest: Guest, roomId: string): Promise<string> {
  return (await guest.must(gql.RoomViewDocument, { id: roomId, last: 1 })).room?.messages.syncCursor as string;
}

/** Checks that a cursor gets CURSOR_EXPIRED from a query and from both transports. */
async function assertExpired(guest: Guest, roomId: string, after: string): Promise<void> {
  assert.equal(await guest.refusal(messages, { id: roomId, after }), 'CURSOR_EXPIRED');
  await using watch = new Watch(guest, events, { roomId, after });
  assert.equal((await watch.ended)?.[0]?.extensions.code, 'CURSOR_EXPIRED');
  const { status, errors } = await refuseEventStream(guest.url, guest.token, events, { roomId, after });
  assert.ok(status >= 400);
  assert.equal(errors?.[0]?.extensions.code, 'CURSOR_EXPIRED');
}

/** Checks that a query and both transports return exactly these messages after a cursor. */
async function assertResumes(guest: Guest, roomId: string, after: string, bodies: readonly string[]): Promise<void> {
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

/** Two rooms with watchers over both transports. The end of one room is rolled back, and the other room is not affected. */
class Scene implements AsyncDisposable {
  readonly guest: Guest;
  readonly rolledBack: { roomId: string; watch: Watch<gql.MessageAddedSubscription>; stream: EventStream };
  readonly kept: { roomId: string; watch: Watch<gql.MessageAddedSubscription>; stream: EventStream };

  private constructor(guest: Guest, rolledBack: Scene['rolledBack'], kept: Scene['kept']) {
    this.guest = guest;
    this.rolledBack = rolledBack;
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

  /** Checks that both streams of a room deliver exactly these messages next. */
  static async assertDelivered({ watch, stream }: Scene['rolledBack'], bodies: readonly string[]): Promise<void> {
    const seen = await watch.take(bodies.length);
    assert.deepEqual(
      seen.map(({ messageAdded }) => messageAdded.body),
      bodies,
    );
    for (const body of bodies) assert.equal((await stream.nextMessage()).body, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { watch, stream } of [this.rolledBack, this.kept]) {
      stream.close();
      await watch[Symbol.asyncDispose]();
    }
  }
}

/** Sends messages before and after `save`. `rollBack` restores what was saved, and the messages after it are lost. */
async function assertRolledBack(server: Server, save: () => Promise<void>, rollBack: () => Promise<void>): Promise<void> {
  await using scene = await Scene.open(server);
  const { guest, rolledBack, kept } = scene;
  const [first, second] = (await send(guest, rolledBack.roomId, ['one', 'two'])) as [string, string];
  await send(guest, kept.roomId, ['one']);
  await save();
  await sendWithRetry(guest, rolledBack.roomId, 'lost');
  const [lost] = (await send(guest, rolledBack.roomId, ['lost too'])) as [string];
  const lostSync = await syncCursorOf(guest, rolledBack.roomId);
  await Scene.assertDelivered(rolledBack, ['one', 'two', 'lost', 'lost too']);
  await rollBack();

  // The log grows again, beyond its former length.
  for (const body of ['three', 'four', 'five']) await sendWithRetry(guest, rolledBack.roomId, body);
  assert.equal((await rolledBack.watch.ended)?.[0]?.extensions.code, 'CURSOR_EXPIRED');
  const last = JSON.parse((await rolledBack.stream.nextData())?.data ?? '{}') as { errors?: [{ extensions: { code: string } }] };
  assert.equal(last.errors?.[0].extensions.code, 'CURSOR_EXPIRED');
  for (const cursor of [lost, lostSync]) await assertExpired(guest, rolledBack.roomId, cursor);
  await assertResumes(guest, rolledBack.roomId, first, ['two', 'three', 'four', 'five']);
  await assertResumes(guest, rolledBack.roomId, second, ['three', 'four', 'five']);

  await sendWithRetry(guest, kept.roomId, 'two');
  await Scene.assertDelivered(kept, ['one', 'two']);
}

describe('a copied data folder', () => {
  it('accepts cursors from before the copy, and after it only its own', async () => {
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
    for (const at of [here, there]) await assertResumes(at, roomId, shared[0] as string, ['two']);
    const [cursorHere] = (await send(here, roomId, ['here', 'and here'])) as [string];
    const [cursorThere] = (await send(there, roomId, ['there', 'and there'])) as [string];
    const syncHere = await syncCursorOf(here, roomId);
    for (const cursor of shared.slice(1)) {
      await assertResumes(here, roomId, cursor, ['here', 'and here']);
      await assertResumes(there, roomId, cursor, ['there', 'and there']);
    }
    await assertResumes(here, roomId, cursorHere, ['and here']);
    for (const cursor of [cursorHere, syncHere]) await assertExpired(there, roomId, cursor);
    await assertExpired(here, roomId, cursorThere);
  });
});

describe('a PostgreSQL that is rolled back under a running server', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres[Symbol.asyncDispose]());

  /** Runs statements on the server, in a database that is not being replaced. */
  const ask = async (...statements: string[]) => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  /** Terminates the connections to a database and runs statements that need it to be unused. */
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

  it('expires the cursors of entries that an older dump does not have, and continues for the others', { timeout: 120_000 }, async () => {
    await ask('create database chat');
    const url = new URL(postgres.url);
    url.pathname = '/chat';
    await using server = await startOn(url.href);
    // For clients, a template copy is the same as pg_dump and pg_restore.
    await assertRolledBack(
      server,
      () => askAlone('chat', 'create database dump template chat'),
      () => askAlone('chat', 'alter database chat rename to old', 'alter database dump rename to chat'),
    );
  });

  it('expires the cursors of entries that a standby had not received, and continues for the others', { timeout: 120_000 }, async () => {
    await ask('create database failover');
    const url = new URL(postgres.url);
    url.pathname = '/failover';
    await using server = await startOn(url.href);
    let standby: Postgres | undefined;
    try {
      await assertRolledBack(
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

  it('keeps every stream open across a failover that loses nothing', { timeout: 120_000 }, async () => {
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
      await sendWithRetry(guest, kept.roomId, 'after');
      await Scene.assertDelivered(kept, [...bodies, 'after']);
      for (const cursor of [cursors.at(-1) as string, sync]) await assertResumes(guest, kept.roomId, cursor, ['after']);
      assert.equal(server.app.liveRooms.counts.rollbacksFound, 0);
    } finally {
      await standby[Symbol.asyncDispose]();
      await postgres.start();
    }
  });
});
