// Rate limits: in the memory of one node, and in Redis for several nodes, also while Redis is away or silent.

import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { readConfig } from '../../src/config.ts';
import type { GaplessError } from '../../src/errors.ts';
import { Limits } from '../../src/limits/limits.ts';
import { RefusalLog } from '../../src/limits/refusal-log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { type RedisServer, sharedRedis, startRedis } from '../support/redis.ts';
import { silentLog } from '../support/server.ts';
import { range } from '../support/storage.ts';

type Env = Record<string, string>;
const limitsOf = (env: Env, redisUrl?: string, databaseId?: string) => {
  const redis = redisUrl === undefined ? undefined : sharedRedis(redisUrl, databaseId);
  return new Limits(readConfig(env).limits, redis, new RefusalLog(silentLog), silentLog);
};

/** The outcomes of takes that start at once: undefined, or the error. */
const takeAll = async (limits: Limits, count: number, user = 'user_1'): Promise<(GaplessError | undefined)[]> =>
  Promise.all(
    range(1, count).map(() =>
      limits.take('send', { user }).then(
        () => undefined,
        (error: GaplessError) => error,
      ),
    ),
  );
const refusedOf = async (...args: Parameters<typeof takeAll>) => (await takeAll(...args)).filter((error) => error !== undefined);

describe('a rate limit in memory', () => {
  it('refuses the 31st send of a user in 10 s, with the time until there are points again', async () => {
    await using limits = limitsOf({});
    const [refusal, ...others] = await refusedOf(limits, 31);
    assert.deepEqual(others, []);
    assert.equal(refusal?.code, 'RATE_LIMITED');
    assert.ok(Number(refusal?.retryAfterMs) > 9000 && Number(refusal?.retryAfterMs) <= 10_100, `${refusal?.retryAfterMs}`);
    assert.match(String(refusal?.message), /30 are allowed in 10 s/);
  });

  it('counts each user by themselves, and each limit', async () => {
    await using limits = limitsOf({ RATE_LIMIT_SEND: '1/h' });
    assert.deepEqual(await refusedOf(limits, 1, 'user_1'), []);
    assert.deepEqual(await refusedOf(limits, 1, 'user_2'), []);
    await limits.take('change', { user: 'user_1' });
    assert.equal((await refusedOf(limits, 1, 'user_1')).length, 1);
  });

  it('allows as much again after retryAfterMs', async () => {
    await using limits = limitsOf({ RATE_LIMIT_SEND: '2/s' });
    const [refusal] = await refusedOf(limits, 3);
    await new Promise((resolve) => setTimeout(resolve, refusal?.retryAfterMs));
    assert.equal((await refusedOf(limits, 3)).length, 1);
  });

  it('keeps nothing of 10,000 users whose windows have passed', async () => {
    await using limits = limitsOf({ RATE_LIMIT_SEND: '1/s' });
    using timers = new LiveTimers();
    await Promise.all(range(1, 10_000).map((index) => limits.take('send', { user: `user_${index}` })));
    assert.ok(timers.size >= 10_000, `${timers.size} timers`);
    await until('all keys have expired', () => timers.size < 100);
  });

  it('does not limit an undefined address', async () => {
    await using limits = limitsOf({ RATE_LIMIT_SIGN_IN: '1/h' });
    for (const _ of range(1, 5)) await limits.take('signIn', { address: undefined });
    await limits.take('signIn', { address: '192.0.2.1' });
    await assert.rejects(limits.take('signIn', { address: '192.0.2.1' }), { code: 'RATE_LIMITED' });
  });

  it('takes nothing if it is off', async () => {
    await using limits = limitsOf({ RATE_LIMITS: 'off' });
    assert.deepEqual(await refusedOf(limits, 1000), []);
  });
});

/** The timers that were started since, and have neither fired nor been cleared. Each key in memory has one. */
class LiveTimers implements Disposable {
  readonly #ids = new Set<number>();
  readonly #hook = createHook({
    init: (id, type) => void (type === 'Timeout' && this.#ids.add(id)),
    destroy: (id) => void this.#ids.delete(id),
  }).enable();

  get size(): number {
    return this.#ids.size;
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

describe('a rate limit in Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis[Symbol.asyncDispose]());

  let nextUser = 0;
  const newUser = () => `user_${++nextUser}`;
  /** Resolves when what `a` counts is counted at `b` too. */
  const untilShared = (a: Limits, b: Limits) =>
    until('the nodes count together', async () => {
      const user = newUser();
      await refusedOf(a, 31, user);
      return (await refusedOf(b, 1, user)).length === 1;
    });

  it('is one limit for two nodes, also if both are asked at once', async () => {
    await using a = limitsOf({}, redis.url);
    await using b = limitsOf({}, redis.url);
    await untilShared(a, b);
    const user = newUser();
    const refusals = await Promise.all([refusedOf(a, 25, user), refusedOf(b, 25, user)]);
    assert.equal(refusals.flat().length, 20);
    for (const { retryAfterMs } of refusals.flat()) assert.ok(Number(retryAfterMs) > 5000);
  });

  it('is counted for each database by itself, as for a copy of it on the same Redis', async () => {
    await using a = limitsOf({}, redis.url, 'original');
    await using b = limitsOf({}, redis.url, 'original');
    await using copy = limitsOf({}, redis.url, 'copy');
    await using copied = limitsOf({}, redis.url, 'copy');
    await untilShared(a, b);
    await untilShared(copy, copied);
    const user = newUser();
    assert.equal((await refusedOf(a, 31, user)).length, 1);
    assert.equal((await refusedOf(b, 1, user)).length, 1);
    assert.deepEqual(await refusedOf(copy, 30, user), []);
  });

  it('leaves nothing in Redis once the windows have passed', async () => {
    await using a = limitsOf({ RATE_LIMIT_SEND: '3/s' }, redis.url);
    await using b = limitsOf({ RATE_LIMIT_SEND: '3/s' }, redis.url);
    await untilShared(a, b);
    const user = newUser();
    const [refusal] = await refusedOf(a, 4, user);
    await new Promise((resolve) => setTimeout(resolve, refusal?.retryAfterMs));
    assert.deepEqual(await refusedOf(b, 1, user), []);
  });

  const faults = [
    { name: 'killed', begin: () => redis.stop('SIGKILL'), end: () => redis.start() },
    { name: 'silent', begin: async () => redis.signal('SIGSTOP'), end: async () => redis.signal('SIGCONT') },
    {
      name: 'silent for so long that its connection is replaced',
      begin: async () => redis.signal('SIGSTOP'),
      async end() {
        await sleep(3000);
        redis.signal('SIGCONT');
      },
    },
  ];
  for (const { name, begin, end } of faults) {
    it(`is counted by each node while Redis is ${name}, without delay, and in Redis again after that`, async () => {
      await using a = limitsOf({}, redis.url);
      await using b = limitsOf({}, redis.url);
      await untilShared(a, b);
      await begin();
      const durations: number[] = [];
      const user = newUser();
      let refused = 0;
      for (const _ of range(1, 40)) {
        const startMs = performance.now();
        refused += (await refusedOf(a, 1, user)).length;
        durations.push(performance.now() - startMs);
      }
      assert.equal(refused, 10);
      // Only the first ones wait for an answer, 50 ms each.
      const median = durations.toSorted((one, other) => one - other)[20] ?? Infinity;
      assert.ok(median < 40, `half of them took more than ${median} ms`);
      await end();
      await untilShared(a, b);
    });
  }

  it('is counted by a node that starts while Redis is away', async () => {
    await using limits = limitsOf({}, 'redis://127.0.0.1:1');
    assert.equal((await refusedOf(limits, 31)).length, 1);
  });
});

describe('the log of refusals', () => {
  it('has the first refusal of a user at once, and then their number once a minute', async () => {
    const lines: { limit?: string; who?: string; count?: number }[] = [];
    const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const clock = new ManualClock();
    using refusals = new RefusalLog(log, clock);
    await using limits = new Limits(readConfig({ RATE_LIMIT_SEND: '1/h' }).limits, undefined, refusals, log, clock);
    const logged = () => lines.splice(0).map(({ limit, who, count }) => [limit, who, count]);
    await takeAll(limits, 4, 'user_1');
    await takeAll(limits, 2, 'user_2');
    assert.deepEqual(logged(), [
      ['send', 'user_1', 1],
      ['send', 'user_2', 1],
    ]);
    await clock.advance(60_000);
    assert.deepEqual(logged(), [['send', 'user_1', 2]]);
    await clock.advance(120_000);
    await takeAll(limits, 1, 'user_1');
    assert.deepEqual(logged(), [['send', 'user_1', 1]]);
  });
});
