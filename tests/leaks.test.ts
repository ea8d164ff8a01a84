// Ten thousand clients connect and are cut off at random moments. The server keeps nothing of them.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import { Feed } from '../src/feed/feed.ts';
import { LiveRoom } from '../src/feed/live-room.ts';
import { Connection } from '../src/transport/connection.ts';
import { ClientSocket } from '../src/transport/socket.ts';
import * as gql from './gql/graphql.ts';
import { until } from './support/process.ts';
import { chooseSeed, randomFrom } from './support/random.ts';
import { createPlace, Guest, startServer } from './support/server.ts';
import { fillRoom, range } from './support/storage.ts';
import { Watch } from './support/watch.ts';

const cycles = 10_000;
/** Cycles before the first measurement, so that caches are full and pools have opened their connections. */
const warmUp = 2000;
const atOnce = 20;
/** Maximum lifetime of a client. Long enough for a backfill to begin. */
const longestLifeMs = 60;
const backfill = 2000;
const maxHeapGrowthBytes = 4 * 1024 * 1024;

const watch = 'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { __typename cursor } }';

/** Tolerance for connections and timers of the test itself. A leak in one of 500 clients would exceed it. */
const tolerance = 20;

const timer = setTimeout(() => {}, 0);
const Timer = timer.constructor as new () => object;
/** The number of live objects of a class. Counting collects garbage first. */
const count = (kind: unknown) => queryObjects(kind as () => void, { format: 'count' });
const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
const measure = () => ({
  feeds: count(Feed),
  liveRooms: count(LiveRoom),
  connections: count(Connection),
  clientSockets: count(ClientSocket),
  timers: count(Timer),
  sockets: openSockets(),
  heapBytes: process.memoryUsage().heapUsed,
});

interface Subscription {
  readonly guest: Guest;
  readonly variables: { roomId: string; after: string | undefined };
  readonly lifeMs: number;
}

async function watchOverWebSocket({ guest, variables, lifeMs }: Subscription): Promise<void> {
  const socket = new WebSocket(guest.url.replace('http', 'ws'), 'graphql-transport-ws');
  socket.on('error', () => {});
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${guest.token}` } })));
  socket.once('message', () => socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: watch, variables } })));
  await sleep(lifeMs);
  socket.terminate();
}

async function watchOverEvents({ guest, variables, lifeMs }: Subscription): Promise<void> {
  const { pathname, host, port } = new URL(guest.url);
  const query = new URLSearchParams({ query: watch, variables: JSON.stringify(variables) });
  const socket = connect(Number(port), '127.0.0.1').resume();
  socket.on('error', () => {});
  socket.write(
    `GET ${pathname}?${query} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${guest.token}\r\n\r\n`,
  );
  await sleep(lifeMs);
  // Either a reset, or the end of a process.
  if (lifeMs % 1 < 0.5) socket.resetAndDestroy();
  else socket.destroy();
}

it('keeps nothing of 10,000 subscribers that are cut off', { timeout: 280_000 }, async () => {
  const random = randomFrom(chooseSeed('leaks'));
  const redisUrl = process.env['REDIS_URL'] as string;
  await using place = await createPlace('PostgreSQL');
  // A small pool, so that a single client that is not released is noticed.
  await using server = await startServer({ env: { ...place.env, REDIS_URL: redisUrl, DATABASE_POOL_SIZE: '2' } });
  const guest = await Guest.signIn(server.url);
  const roomIds = await Promise.all(range(1, 5).map(() => guest.createRoom()));
  const starts = new Map<string, string>();
  for (const roomId of roomIds) {
    const { room } = await guest.must(gql.RoomViewDocument, { id: roomId });
    starts.set(roomId, room?.messages.syncCursor as string);
    await fillRoom(server.app.storage.db, roomId, backfill);
  }

  const watched = new Set<string>();
  async function run(count: number): Promise<void> {
    let left = count;
    const connectAndDrop = async () => {
      while (left > 0) {
        left -= 1;
        const roomId = roomIds[Math.floor(random() * roomIds.length)] as string;
        const variables = { roomId, after: random() < 0.5 ? starts.get(roomId) : undefined };
        const subscription = { guest, variables, lifeMs: random() * longestLifeMs };
        await (random() < 0.5 ? watchOverWebSocket(subscription) : watchOverEvents(subscription));
        for (const each of roomIds) if (server.app.liveRooms.isWatched(each)) watched.add(each);
      }
    };
    await Promise.all(range(1, atOnce).map(connectAndDrop));
    await until('no room is watched', () => server.app.liveRooms.size === 0, 60_000);
  }

  await using cleanup = new AsyncDisposableStack();
  const redis = cleanup.adopt(new Redis(redisUrl), (client) => client.disconnect());
  const subscribed = async () => {
    const topics = (await redis.pubsub('CHANNELS', 'gapless:*:room:*')) as string[];
    return topics.filter((topic) => roomIds.some((roomId) => topic.endsWith(`:${roomId}`))).length;
  };

  await run(warmUp);
  await until('the last connections are closed', () => openSockets() < 50, 60_000);
  const before = measure();
  await run(cycles);
  assert.equal(watched.size, roomIds.length);
  await until('no room is subscribed to in Redis', async () => (await subscribed()) === 0);
  await until('as few connections are open as before', () => openSockets() <= before.sockets + tolerance, 60_000);
  // Shared results expire after a few seconds, and queries under way end first.
  await until('no feed and no socket is held', () => count(Feed) === 0 && count(ClientSocket) === 0, 30_000);
  await until('as few timers wait as before', () => count(Timer) <= before.timers + tolerance, 30_000);
  const then = measure();
  console.log('leaks:', JSON.stringify({ before, after: then }));
  assert.ok(then.liveRooms <= roomIds.length);
  assert.ok(then.connections <= before.connections + tolerance);
  assert.ok(then.heapBytes < before.heapBytes + maxHeapGrowthBytes);

  // All connections of the pools, two for requests and four for those who watch, still work.
  const last = roomIds[0] as string;
  await Promise.all(range(1, 20).map(() => guest.send(last, 'hello')));
  for (const roomId of roomIds) {
    await using watching = new Watch(guest, watch, { roomId, after: starts.get(roomId) });
    assert.equal((await watching.take(backfill)).length, backfill);
  }
});
