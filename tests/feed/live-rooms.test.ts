// Head checks that fail: the streams of this node end, because it cannot learn of entries that the bus has lost.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog } from '../support/server.ts';
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
