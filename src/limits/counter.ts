// Counts the points of one limit, for each key. A key that is not used expires with its window, so memory does not grow with
// the number of users that were ever seen.

import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Allowance } from '../rate-limits.ts';

/** Timers and clocks round: a client that retried a millisecond too early would be refused again. */
const roundingMs = 5;

export interface Counter {
  /** Takes a point. Resolves with 0, or if none is left with the milliseconds until there are points again. */
  take(key: string): Promise<number>;
}

/** Counts in this process. */
export function memoryCounter({ points, seconds }: Allowance): Counter {
  const limiter = new RateLimiterMemory({ points, duration: seconds });
  return { take: (key) => takeFrom(limiter, key) };
}

/** Takes a point. Rejects if the limiter failed. */
export async function takeFrom(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (refusal) {
    // The library rejects with the state of the key.
    if (refusal instanceof RateLimiterRes) return Math.ceil(refusal.msBeforeNext) + roundingMs;
    throw refusal;
  }
}
