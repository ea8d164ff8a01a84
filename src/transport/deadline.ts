// A query or mutation is answered within five seconds, whatever state the database is in: with its result, or UNAVAILABLE.

import { unavailable } from '../errors.ts';
import type { Lifetime } from './lifetime.ts';

/** Below 5 s, to leave time to send the answer. */
const answerMs = 4500;
const tooLate = 'The request was not answered in time: retry, with the same clientMessageId if there is one.';

/**
 * The result of `work`. Throws UNAVAILABLE if that takes too long, and ends `lifetime`: its reads are cancelled, and its
 * changes continue.
 */
export async function inTime<Result>(work: Promise<Result>, lifetime: Lifetime): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = unavailable(tooLate);
    lifetime.end(error);
    reject(error);
  }, answerMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const clientLeft = () => unavailable('The client has left.');
