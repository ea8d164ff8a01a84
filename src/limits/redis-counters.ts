// Counts points in Redis, for all nodes together. A Redis that is away or silent delays nobody: after `maxWaitMs`, and until
// Redis answers again, each node counts in its own memory.

import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';
import type { Allowance } from '../rate-limits.ts';
import { redisPrefixOf, type SharedRedis } from '../storage/database-identity.ts';
import { type Counter, memoryCounter, takeFrom } from './counter.ts';

/** Maximum wait for Redis. The first points that a silent Redis leaves unanswered wait this long, and the next ones not at all. */
const maxWaitMs = 50;
/** How long Redis may leave a command unanswered before the connection is replaced. ioredis would wait without limit. */
const silentMs = 2000;

const late = Symbol('late');

export class RedisCounters implements AsyncDisposable {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #databaseId: () => string;
  readonly #redis: Redis;
  /** `down`: the node counts in memory, until a late answer arrives or a new connection is ready. */
  #state: 'unknown' | 'up' | 'down' = 'unknown';

  constructor({ url, databaseId }: SharedRedis, log: Log, clock: Clock = realClock) {
    this.#log = log;
    this.#databaseId = databaseId;
    this.#clock = clock;
    this.#redis = new Redis(url, {
      // Points that cannot be sent now are counted in memory now.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 3000,
      commandTimeout: silentMs,
      retryStrategy: (attempt: number) => Math.min(100 * attempt, 1000) * (0.5 + Math.random() / 2),
      // What one turn of the event loop counts is sent together.
      enableAutoPipelining: true,
    });
    this.#redis.on('error', (error) => this.#failed(error));
    this.#redis.on('close', () => this.#failed());
    this.#redis.on('ready', () => this.#answers());
  }

  /** The counter of one limit. `name` distinguishes its keys from those of other limits. */
  counter(name: string, allowance: Allowance): Counter {
    const { points, seconds } = allowance;
    const memory = memoryCounter(allowance);
    const limiter = new RateLimiterRedis({
      storeClient: this.#redis,
      // The key has all of it, because the id of the database may be renewed.
      keyPrefix: '',
      points,
      duration: seconds,
      // While a key has no points left, Redis is not asked.
      inMemoryBlockOnConsumed: points,
    });
    return {
      take: async (key) => {
        if (this.#state !== 'up') return memory.take(key);
        const answer = takeFrom(limiter, `${redisPrefixOf(this.#databaseId())}limit:${name}:${key}`);
        try {
          const waitMs = await this.#inTime(answer);
          if (waitMs !== late) return waitMs;
          this.#awaitAnswer(answer);
        } catch (error) {
          // For example, Redis is out of memory, or still loads its data.
          logOccasionally(this.#log, 'warn', error, 'Redis failed to count a rate limit: this node counts by itself', this.#clock.now());
        }
        return memory.take(key);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.removeAllListeners('close');
    this.#redis.disconnect();
  }

  async #inTime(answer: Promise<number>): Promise<number | typeof late> {
    const { promise, resolve } = Promise.withResolvers<typeof late>();
    // After a pause of this process, timers fire before the answers that have arrived meanwhile are read.
    using _timer = this.#clock.after(maxWaitMs, () => setImmediate(() => resolve(late)));
    return await Promise.race([answer, promise]);
  }

  /** Counts in memory until a late answer arrives. If none arrives within `silentMs`, only a new connection can help. */
  #awaitAnswer(answer: Promise<unknown>): void {
    if (this.#state !== 'up') return;
    this.#failed(new Error('Redis is silent'));
    answer.then(
      () => {
        if (this.#redis.status === 'ready') this.#answers();
      },
      () => this.#redis.disconnect(true),
    );
  }

  #answers(): void {
    if (this.#state === 'down') this.#log.info('Redis answers again: rate limits are counted for the cluster');
    this.#state = 'up';
  }

  #failed(error?: Error): void {
    if (this.#state !== 'down') this.#log.warn({ error: error?.message }, 'Redis does not answer: each node counts rate limits by itself');
    this.#state = 'down';
  }
}
