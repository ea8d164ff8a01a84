// A query or mutation is answered within five seconds, whatever state the database is in: done, or UNAVAILABLE.

import { unavailable } from '../storage/unavailable.ts';

/** What is left of the five seconds is for the answer's own way. */
const answerMs = 4500;

/** What `work` gives; throws UNAVAILABLE when that takes too long. What was begun may still come to its end. */
export async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(unavailable('no answer in time')), answerMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
