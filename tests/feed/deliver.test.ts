// A feed executes the entries that it has in memory together, and still delivers each once, in order, to a sink that is ready.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { badInput } from '../../src/errors.ts';
import type { Delivery, Sink } from '../../src/feed/delivery.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor } from '../../src/storage/cursor.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { until } from '../support/process.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog } from '../support/server.ts';
import { range } from '../support/storage.ts';
import { MemoryLog } from '../support/test-log.ts';

type Execute = (deliveries: readonly Delivery[]) => Promise<readonly number[]>;
const seqsOf: Execute = async (deliveries) => deliveries.map(({ seq }) => seq);

/** Runs a feed from the beginning of a log with `missed` entries. Each result is the seq of its entry. */
async function deliver({ missed, capacity = Infinity, execute = seqsOf }: { missed: number; capacity?: number; execute?: Execute }) {
  const log = new MemoryLog();
  const { floor } = await log.readAll();
  await log.append(missed);
  const liveRooms = new LiveRooms(log.source, new FickleBus(), retryFor(), silentLog);
  const { roomId, viewerId } = log;
  const after = encodeCursor(roomId, floor);
  const feed = await openFeed(liveRooms, { roomId, viewerId, after, wants: (type) => type !== 'CaughtUp' });
  const written: number[] = [];
  const executed: number[] = [];
  let free = capacity;
  let wake = () => {};
  const sink: Sink<number> = {
    open: true,
    get ready() {
      return free > 0;
    },
    drained: () => new Promise((resolve) => (wake = resolve)),
    write(result) {
      if (free <= 0) throw new Error('The sink is full.');
      free -= 1;
      written.push(result);
    },
  };
  const run = feed.run<number>(
    {
      shared: undefined,
      execute: (deliveries) => {
        executed.push(deliveries.length);
        return execute(deliveries);
      },
    },
    sink,
  );
  const drain = () => {
    free = capacity;
    wake();
  };
  const stop = async () => {
    feed.stop();
    await run.catch(() => {});
    await liveRooms[Symbol.asyncDispose]();
  };
  return { feed, written, executed, run, drain, stop };
}

it('executes 500 missed entries in a few steps', async () => {
  const { written, executed, stop } = await deliver({ missed: 500 });
  await until('all have arrived', () => written.length === 500);
  assert.deepEqual(written, range(1, 500));
  assert.ok(executed.length <= 14, `${executed.length} steps`);
  await stop();
});

it('delivers those before an entry that cannot be executed, and ends there', async () => {
  const error = badInput('The fifth cannot be executed.');
  const execute: Execute = async (deliveries) => {
    if (deliveries.some(({ seq }) => seq === 5)) throw error;
    return seqsOf(deliveries);
  };
  const { feed, written, run, stop } = await deliver({ missed: 20, execute });
  await assert.rejects(run, error);
  assert.deepEqual([written, feed.position.seq], [range(1, 4), 4]);
  await stop();
});

it('retries an entry that fails for a while, and repeats none of those before it', async () => {
  let failures = 3;
  const execute: Execute = async (deliveries) => {
    if (deliveries.some(({ seq }) => seq === 5) && failures > 0) {
      failures -= 1;
      throw new Error('The database is away.');
    }
    return seqsOf(deliveries);
  };
  const { written, stop } = await deliver({ missed: 20, execute });
  await until('all have arrived', () => written.length === 20);
  assert.deepEqual(written, range(1, 20));
  await stop();
});

it('gives a sink what it has space for, and executes one at a time while it is full', async () => {
  const { written, executed, drain, stop } = await deliver({ missed: 100, capacity: 3 });
  await until('the first have arrived', () => written.length === 3);
  while (written.length < 100) {
    const before = written.length;
    drain();
    await until('more have arrived', () => written.length > before);
  }
  assert.deepEqual(written, range(1, 100));
  assert.ok(Math.max(...executed.slice(1)) <= 4, `${Math.max(...executed.slice(1))} together`);
  await stop();
});
