// What the live rooms of a node share: head checks, and turns to execute.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Delivery, Sink } from '../../src/feed/delivery.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog } from '../support/server.ts';
import { range } from '../support/storage.ts';
import { MemoryLog } from '../support/test-log.ts';

/** A feed of a room in memory. While `failing`, the heads cannot be read, and the database answers. */
async function open(isDatabaseAnswering = () => true) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const state = { failing: false, checks: 0 };
  const readHeads = async (ids: readonly string[]) => {
    state.checks += 1;
    if (state.failing) throw new Error('a standby answered');
    return log.source.readHeads(ids);
  };
  const bus = new FickleBus();
  const retry = retryFor({ clock, isDatabaseAnswering });
  const liveRooms = new LiveRooms({ ...log.source, readHeads }, bus, retry, silentLog, { clock });
  const { roomId, viewerId } = log;
  const feed = new FeedReader(await openFeed(liveRooms, { roomId, viewerId, after: undefined, wants: (type) => type !== 'CaughtUp' }));
  return { clock, log, state, liveRooms, feed };
}

it('a check that fails for 30 s although the database answers ends the streams with UNAVAILABLE', async () => {
  const { clock, state, liveRooms, feed } = await open();
  const ended = assert.rejects(feed.next(), { code: 'UNAVAILABLE' });
  state.failing = true;
  await clock.advance(40_000);
  await ended;
  assert.equal(liveRooms.counts.stuck, 1);
  await feed.stop();
  await liveRooms[Symbol.asyncDispose]();
});

it('a check that fails for a while finds afterwards what the bus has lost', async () => {
  const { clock, log, state, liveRooms, feed } = await open();
  const next = feed.next();
  state.failing = true;
  await clock.advance(20_000);
  await log.append(1);
  state.failing = false;
  await clock.advance(10_000);
  assert.equal((await next).value?.seq, 1);
  await feed.stop();
  await liveRooms[Symbol.asyncDispose]();
});

it('streams go on while the database does not answer, however long', async () => {
  const { clock, log, state, liveRooms, feed } = await open(() => false);
  const next = feed.next();
  state.failing = true;
  await clock.advance(120_000);
  assert.ok(state.checks > 10);
  await log.append(1);
  state.failing = false;
  await clock.advance(10_000);
  assert.equal((await next).value?.seq, 1);
  await feed.stop();
  await liveRooms[Symbol.asyncDispose]();
});

it('at most 64 subscribers are executed alone at once, and each gets its turn', async () => {
  const log = new MemoryLog();
  const bus = new FickleBus();
  const liveRooms = new LiveRooms(log.source, bus, retryFor(), silentLog);
  const { roomId, viewerId } = log;
  let now = 0;
  let most = 0;
  let written = 0;
  const execute = async (deliveries: readonly Delivery[]) => {
    now += 1;
    most = Math.max(most, now);
    await turn();
    now -= 1;
    return deliveries;
  };
  const sink: Sink<Delivery> = { open: true, ready: true, drained: async () => {}, write: () => (written += 1) };
  const feeds = await Promise.all(
    range(1, 300).map(() => openFeed(liveRooms, { roomId, viewerId, after: undefined, wants: (type) => type !== 'CaughtUp' })),
  );
  const running = feeds.map((feed) => feed.run<Delivery>({ shared: undefined, execute }, sink));
  for (const entry of await log.append(1)) bus.publish(entry);
  await until('all have received it', () => written === feeds.length);
  assert.equal(most, 64);
  for (const feed of feeds) feed.stop();
  await Promise.all(running);
  await liveRooms[Symbol.asyncDispose]();
});
