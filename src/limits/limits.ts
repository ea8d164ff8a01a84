// The rate limits of this server. A limit is checked where the work is done, so that each field of an operation counts, and
// before the work takes a place in a queue or in the database.

import { type Clock, realClock } from '../clock.ts';
import { rateLimited } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Allowance, type LimitValues, namesOf, type RateLimitName, rateLimits } from '../rate-limits.ts';
import type { SharedRedis } from '../storage/database-identity.ts';
import { type Counter, memoryCounter } from './counter.ts';
import { OpenSockets } from './open-sockets.ts';
import { RedisCounters } from './redis-counters.ts';
import type { RefusalLog } from './refusal-log.ts';

/** Whose points are taken. An undefined address is not limited. */
type KeyOf<Name extends RateLimitName> = Readonly<Record<(typeof rateLimits)[Name]['key'][number], string | undefined>>;

export class Limits implements AsyncDisposable {
  readonly #values: LimitValues['rates'];
  readonly #counters: Readonly<Partial<Record<RateLimitName, Counter>>>;
  readonly #redis: RedisCounters | undefined;
  readonly #refusals: RefusalLog;
  readonly sockets: OpenSockets;

  /** Counts in Redis, or without `redis` in memory. */
  constructor({ rates, open }: LimitValues, redis: SharedRedis | undefined, refusals: RefusalLog, log: Log, clock: Clock = realClock) {
    this.#values = rates;
    const set = namesOf(rateLimits).flatMap((name) => (rates[name] === undefined ? [] : [[name, rates[name]] as const]));
    this.#redis = redis === undefined || set.length === 0 ? undefined : new RedisCounters(redis, log, clock);
    const counterOf = (name: RateLimitName, allowance: Allowance) => this.#redis?.counter(name, allowance) ?? memoryCounter(allowance);
    this.#counters = Object.fromEntries(set.map(([name, allowance]) => [name, counterOf(name, allowance)]));
    this.#refusals = refusals;
    this.sockets = new OpenSockets(open, refusals);
  }

  /** Takes a point. Throws RATE_LIMITED with retryAfterMs if none is left. A point is not given back, whatever the work ends with. */
  async take<Name extends RateLimitName>(name: Name, key: KeyOf<Name>): Promise<void> {
    const counter = this.#counters[name];
    if (!counter) return;
    const parts = rateLimits[name].key.map((part) => (key as Readonly<Record<string, string | undefined>>)[part]);
    const [who] = parts;
    if (who === undefined) return;
    const waitMs = await counter.take(parts.join(' '));
    if (waitMs === 0) return;
    this.#refusals.add(who, { limit: name });
    const { points, seconds } = this.#values[name] as Allowance;
    throw rateLimited(`Too many ${rateLimits[name].what}: ${points} are allowed in ${seconds} s. Retry after retryAfterMs.`, waitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis?.[Symbol.asyncDispose]();
  }
}
