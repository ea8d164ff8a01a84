// Retries a request until the server answers. A refusal is an answer. A network failure is not.

import { errorCode } from 'gapless/client';
import { waitBefore } from '../../src/client/backoff.ts';
import { isFinal, retryAfterMs } from '../../src/client/error-code.ts';

const backoff = { firstMs: 500, maxMs: 10_000 };
/** Whether a retry may help. Without a new token, it does not help against UNAUTHENTICATED. */
export const isPassing = (error: unknown): boolean => !isFinal(error) && errorCode(error) !== 'UNAUTHENTICATED';

/**
 * Runs `task`, and retries it with full-jitter backoff after failures that may pass. Throws a final error, and the reason of
 * `signal` if that is aborted.
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

/** Waits. Resolves early when the browser is online again or the signal is aborted. */
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
