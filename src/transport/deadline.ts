// A query or mutation is answered within five seconds, whatever state the database is in: with its result, or UNAVAILABLE.

import { unavailable } from '../errors.ts';

/** Below 5 s, to leave time to send the answer. */
const answerMs = 4500;
const tooLate = 'The request was not answered in time: retry, with the same clientMessageId if there is one.';

/** The result of `work`. Throws UNAVAILABLE if that takes too long; the work itself continues. */
export async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(unavailable(tooLate)), answerMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
