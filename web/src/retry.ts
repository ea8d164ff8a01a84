// Asks again until it is answered: a failure of the network is no answer, a refusal is one.

import { errorCode } from 'gapless/client';
import { waitBefore } from '../../src/client/backoff.ts';
import { retryAfterMs } from '../../src/client/error-code.ts';

const backoff = { firstMs: 500, maxMs: 10_000 };
/** What the server says of itself, not of what it was asked. */
const passingCodes = ['INTERNAL', 'RATE_LIMITED', 'UNAVAILABLE'];

export function isPassing(error: unknown): boolean {
  const code = errorCode(error);
  return code === undefined || passingCodes.includes(code);
}

/**
 * What `task` answers, tried again with full jitter as long as it fails in passing. Throws what is final, and the reason
 * of `signal` once that is aborted.
 */
export async function untilAnswered<Answer>(
  task: () => Promise<Answer>,
  { signal, onFailure }: { signal: AbortSignal; onFailure?: (error: unknown) => void },
): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const answer = await task();
      signal.throwIfAborted();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      onFailure?.(error);
      await pause(waitBefore(attempt, backoff, retryAfterMs(error)), signal);
    }
  }
}

/** Waits, but no longer than until the browser is online again, or the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    over.signal.addEventListener('abort', () => clearTimeout(timer));
    window.addEventListener('online', () => resolve(), { signal: over.signal });
    signal.addEventListener('abort', () => resolve(), { signal: over.signal });
  });
  over.abort();
}
