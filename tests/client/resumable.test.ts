import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { Link } from '../../proof/rig/link.ts';
import { waitBefore } from '../../src/client/backoff.ts';
import { errorCode } from '../../src/client/error-code.ts';
import { eventStreams } from '../../src/client/event-streams.ts';
import { resumable } from '../../src/client/resumable.ts';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { getRoom, range, rollBackTo } from '../support/storage.ts';
import { messageAdded, quick, roomEvents, Watcher, ways } from '../support/ways.ts';

/** A server, a link to it that can be cut, a user, and a room of that user with the syncCursor of its page. */
async function openRoom(options: Parameters<typeof startServer>[0] = {}) {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startServer({ storage: 'PostgreSQL', ...options }));
  const link = opened.use(await Link.open({ port: Number(new URL(server.url).port) }));
  const ada = await Guest.signIn(server.url);
  const roomId = await ada.createRoom();
  const after = (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string;
  const toClose = opened.move();
  return {
    ...{ server, link, ada, roomId, after, url: `http://127.0.0.1:${link.port}/graphql` },
    [Symbol.asyncDispose]: () => toClose.disposeAsync(),
  };
}

const sendMany = async (guest: Guest, roomId: string, count: number) => {
  for (let i = 0; i < count; i += 1) await guest.send(roomId, 'Hello');
};

const breaks: Record<string, (server: Server, link: Link) => unknown> = {
  'is cut': (_, link) => link.reset(),
  'cannot be opened for a while': (_, link) => {
    link.impair({ refusing: true });
    link.reset();
    setTimeout(() => link.heal(), 300);
  },
  'is lost with a restart of the server': (server) => server.restart(),
};

for (const [way, subscriberOf] of Object.entries(ways)) {
  describe(`a resumable subscription over ${way}`, { concurrency: 3 }, () => {
    for (const [what, breakIt] of Object.entries(breaks)) {
      for (const [field, query] of Object.entries({ roomEvents, messageAdded })) {
        it(`delivers each event of ${field} once, in order, if the connection ${what}`, async () => {
          await using room = await openRoom();
          const { ada, roomId, after, server, link } = room;
          using watcher = new Watcher(
            subscriberOf(room.url, () => ada.token),
            { query, variables: { roomId, after } },
          );
          for (const round of [1, 2, 3]) {
            await sendMany(ada, roomId, 5);
            await until('they arrive', () => watcher.numbers.length >= 10 * round - 5);
            await breakIt(server, link);
            await sendMany(ada, roomId, 5);
          }
          await until('all arrive', () => watcher.numbers.length >= 30 && watcher.live);
          // After this one, a second copy of an earlier event would have arrived.
          await ada.send(roomId, 'last');
          await until('the last arrives', () => watcher.numbers.includes(31));
          assert.deepEqual(watcher.numbers, range(1, 31));
          assert.ok(watcher.statuses.filter((status) => status === 'connecting').length >= 4, String(watcher.statuses));
          assert.deepEqual(watcher.ends, []);
        });
      }
    }

    it('is lagging while it catches up, then live', async () => {
      await using room = await openRoom();
      const { ada, roomId, after, url } = room;
      await sendMany(ada, roomId, 3);
      using watcher = new Watcher(
        subscriberOf(url, () => ada.token),
        { query: roomEvents, variables: { roomId, after } },
      );
      await until('it is live', () => watcher.live);
      assert.deepEqual(watcher.statuses, ['connecting', 'lagging', 'live']);
      assert.deepEqual(
        watcher.events.map(({ __typename }) => __typename),
        ['MessageAdded', 'MessageAdded', 'MessageAdded', 'CaughtUp'],
      );
    });

    it('resumes from CaughtUp if it started without a cursor and received no other event', async () => {
      await using room = await openRoom();
      const { ada, roomId, url, link } = room;
      using watcher = new Watcher(
        subscriberOf(url, () => ada.token),
        { query: roomEvents, variables: { roomId } },
      );
      await until('it is live', () => watcher.live);
      link.impair({ refusing: true });
      link.reset();
      await sendMany(ada, roomId, 3);
      link.heal();
      await until('all arrive', () => watcher.numbers.length === 3);
    });

    it('waits for a server that does not listen yet', async () => {
      await using room = await openRoom();
      const { ada, roomId, after, url, link } = room;
      link.impair({ refusing: true });
      using watcher = new Watcher(
        subscriberOf(url, () => ada.token),
        { query: roomEvents, variables: { roomId, after } },
      );
      await until('several attempts have failed', () => link.counts.refused >= 5);
      assert.deepEqual([watcher.statuses, watcher.ends], [['connecting'], []]);
      link.heal();
      await until('it is live', () => watcher.live);
    });

    it('ends as expired if the log no longer contains its cursor', async () => {
      await using room = await openRoom();
      const { ada, roomId, after, url, link, server } = room;
      const { db } = server.app.storage;
      const { headSeq: seq, headTag: tag } = await getRoom(db, roomId);
      using watcher = new Watcher(
        subscriberOf(url, () => ada.token),
        { query: roomEvents, variables: { roomId, after } },
      );
      await sendMany(ada, roomId, 3);
      await until('they arrive', () => watcher.numbers.length === 3 && watcher.live);
      link.impair({ refusing: true });
      link.reset();
      await rollBackTo(db, roomId, { seq, tag });
      link.heal();
      await until('it has ended', () => watcher.ends.length > 0);
      assert.equal(errorCode(watcher.ends[0]), 'CURSOR_EXPIRED');
      assert.equal(watcher.statuses.at(-1), 'expired');
      assert.equal(watcher.ends.length, 1);
    });

    it('ends if the viewer may not see the room, and if the room is deleted', async () => {
      await using room = await openRoom();
      const { ada, roomId, after, url } = room;
      const bob = await Guest.signIn(room.server.url, 'Bob');
      const secret = await bob.createRoom({ kind: 'PRIVATE' });
      const subscriber = subscriberOf(url, () => ada.token);
      using refused = new Watcher(subscriber, { query: roomEvents, variables: { roomId: secret } });
      await until('it is refused', () => refused.ends.length > 0);
      assert.equal(errorCode(refused.ends[0]), 'NOT_FOUND');
      using ended = new Watcher(subscriber, { query: roomEvents, variables: { roomId, after } });
      await until('it is live', () => ended.live);
      await ada.ask('mutation ($id: ID!) { deleteRoom(input: { roomId: $id }) { deletedRoomId } }', { id: roomId });
      await until('it has ended', () => ended.ends.length > 0);
      assert.deepEqual(ended.ends, ['complete']);
      assert.equal(ended.events.at(-1)?.__typename, 'RoomDeleted');
    });

    it('renews the token when it expires, once for all subscriptions, and misses nothing', async () => {
      const secret = 'a secret that is long enough for HS256';
      const tokenFor = (seconds: number) =>
        new SignJWT({ name: 'Ada' })
          .setProtectedHeader({ alg: 'HS256' })
          .setSubject('ada')
          .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
          .sign(new TextEncoder().encode(secret));
      await using place = await createPlace('PostgreSQL');
      await using server = await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } });
      const ada = new Guest(server.url, await tokenFor(3600), '');
      const roomId = await ada.createRoom();
      let token = await tokenFor(2);
      let renewed = 0;
      const renewToken = async () => {
        renewed += 1;
        // The other subscription is refused meanwhile.
        await sleep(500);
        token = await tokenFor(3600);
      };
      const subscriber = resumable(
        subscriberOf(server.url, () => token),
        { renewToken, backoff: quick },
      );
      using watcher = new Watcher(subscriber, { query: roomEvents, variables: { roomId } });
      using other = new Watcher(subscriber, { query: roomEvents, variables: { roomId } });
      await until('both are live', () => watcher.live && other.live);
      await until('the token has expired', () => renewed > 0);
      await sendMany(ada, roomId, 3);
      for (const { numbers, ends } of [watcher, other]) {
        await until('all arrive', () => numbers.length === 3);
        assert.deepEqual([numbers, ends], [[1, 2, 3], []]);
      }
      assert.equal(renewed, 1, 'one renewal serves all subscriptions');
    });

    it('opens a new connection for a token if the first connection had none', async () => {
      await using room = await openRoom();
      let token = '';
      const connectionParams = () => (token === '' ? {} : { authorization: `Bearer ${token}` });
      const subscriber =
        way === 'graphql-ws'
          ? new Guest(room.url, '', '').connect({ connectionParams })
          : eventStreams({ url: room.url, token: () => (token === '' ? undefined : token) });
      const renewToken = () => {
        token = room.ada.token;
      };
      using watcher = new Watcher(subscriber, { query: roomEvents, variables: { roomId: room.roomId } }, { renewToken });
      await until('it is live', () => watcher.live);
      assert.deepEqual(watcher.ends, []);
    });

    it('ends with UNAUTHENTICATED without renewToken', async () => {
      await using room = await openRoom();
      using watcher = new Watcher(
        subscriberOf(room.url, () => 'rubbish'),
        { query: roomEvents, variables: { roomId: room.roomId } },
      );
      await until('it is refused', () => watcher.ends.length > 0);
      assert.equal(errorCode(watcher.ends[0]), 'UNAUTHENTICATED');
    });

    it('ends at once, also while it waits for the next attempt, and calls nothing afterwards', async () => {
      await using room = await openRoom();
      const { ada, roomId, url, link } = room;
      const watch = () =>
        new Watcher(
          subscriberOf(url, () => ada.token),
          { query: roomEvents, variables: { roomId } },
        );
      const watchers = [watch()];
      await until('the first is live', () => watchers[0]?.live === true);
      link.impair({ refusing: true });
      watchers.push(watch());
      await until('the second waits', () => link.counts.refused > 1);
      for (const watcher of watchers) watcher[Symbol.dispose]();
      link.heal();
      await sendMany(ada, roomId, 1);
      await until('nobody is connected', () => link.open === 0);
      assert.deepEqual(
        watchers.map(({ numbers, ends }) => [...numbers, ...ends]),
        [[], []],
      );
    });
  });
}

describe('a resumable subscription', () => {
  it('over event streams resumes if the connection dies silently', async () => {
    await using room = await openRoom({ bounds: { pingMs: 100 } });
    const { ada, roomId, after, url, link } = room;
    const subscriber = eventStreams({ url, token: () => ada.token, silenceMs: 1000 });
    using watcher = new Watcher(subscriber, { query: roomEvents, variables: { roomId, after } });
    await until('it is live', () => watcher.live);
    link.impair({ droppingAll: true });
    await sendMany(ada, roomId, 3);
    await until('the silence is noticed', () => watcher.statuses.at(-1) === 'connecting');
    link.heal();
    await until('all arrive', () => watcher.numbers.length === 3 && watcher.live);
    assert.deepEqual(watcher.numbers, [1, 2, 3]);
  });

  it('over graphql-ws with keepAlive resumes if the connection dies silently', { timeout: 60_000 }, async () => {
    await using room = await openRoom();
    const { ada, roomId, after, link } = room;
    const client = new Guest(room.url, ada.token, ada.userId).connect({ keepAlive: 100 });
    using watcher = new Watcher(client, { query: roomEvents, variables: { roomId, after } });
    await until('it is live', () => watcher.live);
    link.impair({ droppingAll: true });
    await sendMany(ada, roomId, 3);
    await until('the silence is noticed', () => watcher.statuses.at(-1) === 'connecting');
    link.heal();
    await until('all arrive', () => watcher.numbers.length === 3 && watcher.live);
    assert.deepEqual(watcher.numbers, [1, 2, 3]);
  });

  const refused = {
    'that selects no cursor': ['subscription ($r: ID!, $after: String) { roomEvents(roomId: $r, after: $after) { __typename } }', /cursor/],
    'that names the cursor only in a comment': [
      'subscription ($r: ID!, $after: String) { roomEvents(roomId: $r, after: $after) { __typename } } # cursor',
      /cursor/,
    ],
    'without $after': ['subscription ($r: ID!) { roomEvents(roomId: $r) { __typename cursor } }', /after: \$after/],
    'that declares $after but does not use it': [
      'subscription ($r: ID!, $after: String) { roomEvents(roomId: $r) { __typename cursor } }',
      /after: \$after/,
    ],
    'of roomEvents without __typename': [
      'subscription ($r: ID!, $after: String) { roomEvents(roomId: $r, after: $after) { cursor } }',
      /__typename/,
    ],
  } as const;
  for (const [what, [query, sentence]] of Object.entries(refused)) {
    it(`is refused with an explanation if it is one ${what}`, () => {
      let asked = false;
      const subscriber = {
        subscribe: () => {
          asked = true;
          return () => {};
        },
      };
      using watcher = new Watcher(subscriber, { query, variables: {} });
      assert.match(String(watcher.ends[0]), sentence);
      assert.deepEqual([watcher.ends.length, asked], [1, false]);
    });
  }

  it('is refused at its first event if only the message selects a cursor', async () => {
    await using room = await openRoom();
    const query = `subscription ($roomId: ID!, $after: String) {
      roomEvents(roomId: $roomId, after: $after) { __typename ... on MessageAdded { message { cursor } } } }`;
    const subscriber = ways['graphql-ws'];
    using watcher = new Watcher(subscriber?.(room.url, () => room.ada.token) as never, { query, variables: { roomId: room.roomId } });
    await until('it is refused', () => watcher.ends.length > 0);
    assert.match(String(watcher.ends[0]), /cursor/);
    assert.deepEqual(watcher.events, []);
  });

  it('waits longer with each attempt, with jitter, up to a maximum, and at least as long as the server asks', () => {
    const longest = (attempt: number) => Math.max(...range(1, 2000).map(() => waitBefore(attempt, { firstMs: 100, maxMs: 1000 })));
    for (const [attempt, bound] of [
      [0, 100],
      [1, 200],
      [3, 800],
      [4, 1000],
      [1000, 1000],
    ] as const) {
      assert.ok(longest(attempt) <= bound && longest(attempt) > 0.9 * bound);
    }
    assert.ok(range(1, 100).every(() => waitBefore(0, { firstMs: 100, maxMs: 1000 }, 3000) >= 3000));
  });

  it('never waits longer than a timer can, which would fire at once', () => {
    const maxTimerMs = 2 ** 31 - 1;
    for (const minMs of [Number.POSITIVE_INFINITY, Number.MAX_VALUE, 2 ** 31])
      assert.equal(waitBefore(0, { firstMs: 1, maxMs: 1 }, minMs), maxTimerMs);
    assert.equal(waitBefore(2000, { firstMs: 100, maxMs: Number.POSITIVE_INFINITY }), maxTimerMs);
    assert.ok(waitBefore(0, { firstMs: 1, maxMs: 1 }, -5000) >= 0);
  });
});
