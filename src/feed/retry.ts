// Tries again what failed for want of the database, for as long as somebody wants it, with full-jitter backoff
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

import { setTimeout as sleep } from 'node:timers/promises';
import { isUnavailable } from '../storage/unavailable.ts';

/** The longest wait before the second try, and before any. */
export const backoff = { firstMs: 100, maxMs: 2000 };

/** Throws what `work` throws once that is final or nobody wants it any more. */
export async function untilAvailable<T>(
  work: () => Promise<T>,
  wanted: () => boolean,
  onRetry: () => void,
  { firstMs, maxMs } = backoff,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error) || !wanted()) throw error;
      await sleep(Math.random() * Math.min(firstMs * 2 ** attempt, maxMs), undefined, { ref: false });
      if (!wanted()) throw error;
      onRetry();
    }
  }
}
