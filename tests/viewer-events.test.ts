// The subscription viewerEvents as clients see it: over both transports, on two nodes, after sign-outs and restores.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import pg from 'pg';
import { EventStream } from './support/event-stream.ts';
import { createDatabase, startPostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, startServer, storages } from './support/server.ts';
import { Watch } from './support/watch.ts';

const document = `subscription ($after: String) { viewerEvents(after: $after) { __typename cursor at
  ... on ViewerRoomAdded { roomId room { id name memberCount lastMessage { body } viewerMembership { role } } }
  ... on ViewerRoomChanged { roomId room { id name lastMessage { body sender { name } } } deleted { number revision } }
  ... on ViewerRoomRemoved { roomId removalReason }
  ... on ViewerMembershipChanged { roomId membership { role room { name } } }
  ... on ViewerChanged { viewer { user { name } } }
  ... on ViewerCaughtUp { complete } } }`;
const ownChanges = `subscription { viewerEvents { __typename
  ... on ViewerRoomChanged { room { lastMessage { body } viewerMembership { id user { id } } members(first: 1) { edges { node { role } } } } } } }`;

interface ViewerEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly roomId?: string;
  readonly room?: {
    readonly id: string;
    readonly name: string;
    readonly lastMessage: { readonly body: string } | null;
    readonly viewerMembership?: { readonly user: { readonly id: string } };
  };
  readonly complete?: boolean;
}

interface Result {
  readonly viewerEvents: ViewerEvent;
}

const watch = (guest: Guest, after?: string, query = document) => new Watch<Result>(guest, query, { after });
const named = (results: readonly Result[], type: string) =>
  results.map(({ viewerEvents }) => viewerEvents).filter((event) => event.__typename === type);

/** The first event of a type, once it has arrived. */
async function find({ results }: Watch<Result>, type: string, isIt: (event: ViewerEvent) => boolean = () => true): Promise<ViewerEvent> {
  await until(`${type} has arrived`, () => named(results, type).some(isIt));
  return named(results, type).find(isIt) as ViewerEvent;
}

const says = (body: string) => (event: ViewerEvent) => event.room?.lastMessage?.body === body;

for (const storage of storages) {
  describe(`viewerEvents on ${storage}`, () => {
    it('tells of rooms and messages, over both transports, and continues after a cursor', async () => {
      await using server = await startServer({ storage });
      const [ada, bob] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Bob')];
      await using live = watch(bob);
      using stream = await EventStream.open(bob, document);
      const next = async () => {
        const event = await stream.nextData();
        return { id: event?.id, event: (JSON.parse(event?.data ?? '{}') as { data: Result }).data.viewerEvents };
      };
      await find(live, 'ViewerCaughtUp');
      assert.equal((await next()).event.__typename, 'ViewerCaughtUp');
      const roomId = await ada.createRoom({ kind: 'PRIVATE', name: 'Plans', memberIds: [bob.userId] });
      const added = await find(live, 'ViewerRoomAdded');
      assert.deepEqual([added.roomId, added.room?.name], [roomId, 'Plans']);
      await ada.send(roomId, 'hello');
      await find(live, 'ViewerRoomChanged', says('hello'));
      const onStream = [await next(), await next()];
      for (const { id, event } of onStream) assert.equal(id, event.cursor);
      assert.deepEqual(
        onStream.map(({ event }) => event.__typename),
        ['ViewerRoomAdded', 'ViewerRoomChanged'],
      );
      stream.close();
      await ada.send(roomId, 'are you there?');
      using again = await EventStream.open(bob, document, { headers: { 'last-event-id': onStream[1]?.id as string } });
      const told: ViewerEvent[] = [];
      do told.push((JSON.parse((await again.nextData())?.data ?? '{}') as { data: Result }).data.viewerEvents);
      while (told.at(-1)?.__typename !== 'ViewerCaughtUp');
      assert.deepEqual(
        told.map((event) => [event.__typename, event.room?.lastMessage?.body]),
        [
          ['ViewerRoomAdded', 'are you there?'],
          ['ViewerCaughtUp', undefined],
        ],
      );
      const last = told.at(-1) as ViewerEvent;
      await using resumed = watch(bob, last.cursor);
      assert.equal((await resumed.take(1))[0]?.viewerEvents.__typename, 'ViewerCaughtUp');
      assert.equal(last.complete, false);
    });

    it('gives each viewer their own result of a change that depends on the viewer', async () => {
      await using server = await startServer({ storage });
      const [ada, bob] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Bob')];
      const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
      await using ofAda = watch(ada, undefined, ownChanges);
      await using ofBob = watch(bob, undefined, ownChanges);
      for (const each of [ofAda, ofBob]) await find(each, 'ViewerCaughtUp');
      await ada.send(roomId, 'hello');
      for (const [guest, each] of [
        [ada, ofAda],
        [bob, ofBob],
      ] as const) {
        const { room } = await find(each, 'ViewerRoomChanged', says('hello'));
        assert.equal(room?.viewerMembership?.user.id, guest.userId);
      }
    });
  });
}

describe('viewerEvents', () => {
  it('tells within a second of what happened on another node', async () => {
    await using database = await createDatabase();
    const env = { DATABASE_URL: database.url, REDIS_URL: process.env['REDIS_URL'] as string };
    await using here = await startServer({ env });
    await using there = await startServer({ env });
    const [ada, bob] = [await Guest.signIn(here.url, 'Ada'), await Guest.signIn(here.url, 'Bob')];
    await using live = watch(bob.at(there.url));
    await find(live, 'ViewerCaughtUp');
    const startMs = performance.now();
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    await find(live, 'ViewerRoomAdded');
    await ada.send(roomId, 'hello');
    await find(live, 'ViewerRoomChanged', says('hello'));
    assert.ok(performance.now() - startMs < 2000, 'two changes take less than two seconds');
  });

  it('refuses a viewer without a token, and ends when the session is signed out', async () => {
    await using server = await startServer();
    const ada = await Guest.signIn(server.url, 'Ada');
    await using stranger = new Watch<Result>(new Guest(server.url, '', '').connect({ connectionParams: {} }), document, {});
    assert.equal((await stranger.ended)?.[0]?.extensions.code, 'UNAUTHENTICATED');
    using stream = await EventStream.open(ada, document);
    await stream.nextData();
    await ada.must('mutation { signOut { signedOut } }');
    const last = JSON.parse((await stream.nextData())?.data ?? '{}') as { errors?: [{ extensions: { code: string } }] };
    assert.equal(last.errors?.[0].extensions.code, 'UNAUTHENTICATED');
  });

  it('gives the whole list for a cursor of what a copied data folder does not have', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gapless-copies-'));
    const [original, copied] = [join(folder, 'original'), join(folder, 'copied')];
    try {
      let shared: string;
      let guest: Guest;
      let roomId: string;
      {
        await using server = await startServer({ env: { DATA_DIR: original } });
        guest = await Guest.signIn(server.url);
        roomId = await guest.createRoom();
        await using live = watch(guest);
        shared = (await find(live, 'ViewerCaughtUp')).cursor;
      }
      cpSync(original, copied, { recursive: true });
      let ahead: string;
      {
        await using server = await startServer({ env: { DATA_DIR: original } });
        const here = guest.at(server.url);
        await here.send(roomId, 'lost');
        await here.createRoom();
        await using live = watch(here, shared);
        const caughtUp = await find(live, 'ViewerCaughtUp');
        assert.equal(caughtUp.complete, false, 'a restart loses nothing');
        assert.equal(named(live.results, 'ViewerRoomAdded').length, 2);
        ahead = caughtUp.cursor;
      }
      await using server = await startServer({ env: { DATA_DIR: copied } });
      const there = guest.at(server.url);
      for (let i = 0; i < 10; i += 1) await there.send(roomId, `there ${i}`);
      await using live = watch(there, ahead);
      assert.equal((await find(live, 'ViewerCaughtUp')).complete, true);
      const added = named(live.results, 'ViewerRoomAdded');
      assert.deepEqual(
        added.map(({ room }) => [room?.id, room?.lastMessage?.body]),
        [[roomId, 'there 9']],
      );
      await using kept = watch(there, shared);
      assert.equal((await find(kept, 'ViewerCaughtUp')).complete, false, 'what the cursor saw is in the copy');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('gives live streams the whole list after an older dump was restored', { timeout: 120_000 }, async () => {
    await using postgres = await startPostgres();
    const run = async (...statements: string[]) => {
      const client = new pg.Client(postgres.url);
      await client.connect();
      try {
        for (const statement of statements) await client.query(statement);
      } finally {
        await client.end();
      }
    };
    /** With nobody connected to the database. */
    const runAlone = (...statements: string[]) =>
      until('the database is free', () =>
        run(`select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = 'chat'`, ...statements).then(
          () => true,
          () => false,
        ),
      );
    await run('create database chat');
    const url = new URL(postgres.url);
    url.pathname = '/chat';
    await using server = await startServer({ env: { DATABASE_URL: url.href, DATABASE_POOL_SIZE: '4' } });
    const guest = await Guest.signIn(server.url);
    const roomId = await guest.createRoom();
    await runAlone('create database dump template chat');
    await using live = watch(guest);
    await find(live, 'ViewerCaughtUp');
    let lostId = '';
    await until('a room is created', async () => {
      lostId = await guest.createRoom().catch(() => '');
      return lostId !== '';
    });
    await find(live, 'ViewerRoomAdded', (event) => event.roomId === lostId);
    await runAlone('alter database chat rename to old', 'alter database dump rename to chat');
    const caughtUp = await find(live, 'ViewerCaughtUp', ({ complete }) => complete === true);
    const after = live.results.findIndex(({ viewerEvents }) => viewerEvents.roomId === lostId);
    const told = live.results.slice(
      after + 1,
      live.results.findIndex(({ viewerEvents }) => viewerEvents === caughtUp),
    );
    assert.deepEqual(
      named(told, 'ViewerRoomAdded').map((event) => event.roomId),
      [roomId],
    );
    assert.deepEqual(
      named(told, 'ViewerRoomRemoved').map((event) => event.roomId),
      [lostId],
    );
    await until('a message is sent', () =>
      guest.send(roomId, 'after').then(
        () => true,
        () => false,
      ),
    );
    await find(live, 'ViewerRoomChanged', says('after'));
  });
});
