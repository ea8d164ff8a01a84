// A short run of `proof/measure/stalled-readers.ts`.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { measureStalledReaders } from '../proof/measure/stalled-readers.ts';
import { startNode } from './support/node.ts';
import { createPlace } from './support/server.ts';

it('bounds the memory of a node while 20 clients do not read, and those who read miss nothing', {
  timeout: 280_000,
}, async () => {
  await using place = await createPlace('PostgreSQL');
  await using node = await startNode({ ...place.env, REDIS_URL: process.env['REDIS_URL'] as string, LOG_LEVEL: 'warn' });
  const measured = await measureStalledReaders(node, {
    clients: 20,
    perSecond: 40,
    copies: 15,
    warmUpSeconds: 3,
    seconds: 10,
    untilClosed: false,
  });
  const [before, ...since] = measured.parts.map(({ maxRssMiB }) => maxRssMiB) as [number, ...number[]];
  assert.ok(measured.backpressured >= 20);
  // For each client, 64 KiB and one event of each of its streams.
  assert.ok(measured.maxWaitingBytes < 20 * (64 * 1024 + 2 * 15 * 2000));
  assert.ok(Math.max(...since) - before < 128, `the memory grew from ${before} to ${Math.max(...since)} MiB`);
  assert.ok(measured.complete);
});
