// The Redis user that docs/delivery.md recommends: a cluster needs its rights and no others.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { EventStream } from './support/event-stream.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { startRedis } from './support/redis.ts';
import { Guest, startServer } from './support/server.ts';

const documented = readFileSync(new URL('../docs/delivery.md', import.meta.url), 'utf8');
const rules = /`user gapless on >password (.*)`/.exec(documented)?.[1]?.split(' ') ?? [];

describe('the Redis user of docs/delivery.md', { timeout: 60_000 }, () => {
  it('may do all that nodes do: deliver, count rate limits, and end sessions', async () => {
    await using redis = await startRedis();
    const admin = new Redis(redis.url);
    using cleanup = new DisposableStack();
    cleanup.defer(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'gapless', 'on', '>password', ...rules);
    await using database = await createDatabase();
    const env = {
      DATABASE_URL: database.url,
      IDENTITY: 'guest',
      REDIS_URL: redis.url.replace('//', '//gapless:password@'),
      RATE_LIMITS: '100',
    };
    await using first = await startServer({ env });
    await using second = await startServer({ env });

    const ada = await Guest.signIn(first.url);
    const bob = await Guest.signIn(first.url);
    const roomId = await ada.createRoom();
    using stream = await EventStream.watch(bob.at(second.url), { roomId });
    await ada.send(roomId, 'by way of Redis');
    assert.equal((await stream.nextMessage()).body, 'by way of Redis');
    await until('rate limits are counted in Redis', async () => {
      await ada.send(roomId, 'counted');
      return (await admin.keys('gapless:*:limit:*')).length > 0;
    });
    await bob.must('mutation { signOut { __typename } }');

    assert.deepEqual(await admin.call('ACL', 'LOG'), [], 'nothing was denied');
  });
});
