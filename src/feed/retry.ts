// Retries what failed, for as long as somebody wants the result, with full-jitter backoff
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Every failure that is not final is retried:
// nobody can list what passes.

import { type Clock, realClock } from '../clock.ts';
import { isFinal, NodeUnableError } from '../errors.ts';
import type { Log } from '../log.ts';
import { describe, logOccasionally } from '../log-occasionally.ts';

/** Longest wait before the second attempt, and before any attempt. */
export const backoff = { firstMs: 100, maxMs: 2000 };
/** How long the same failure may repeat, although the database answers, before it ends what is retried. */
const stuckAfterMs = 30_000;

export interface RetryOptions {
  readonly log: Log;
  /** Whether the database answered the newest probe. */
  readonly isDatabaseAnswering: () => boolean;
  readonly backoff?: typeof backoff | undefined;
  readonly clock?: Clock;
}

export class Retry {
  readonly #log: Log;
  readonly #isDatabaseAnswering: () => boolean;
  readonly #backoff: typeof backoff;
  readonly #clock: Clock;
  /** Counters for operators: attempts after a failure, and failures that ended what was retried. */
  readonly counts = { retries: 0, stuck: 0 };

  constructor(options: RetryOptions) {
    this.#log = options.log;
    this.#isDatabaseAnswering = options.isDatabaseAnswering;
    this.#backoff = options.backoff ?? backoff;
    this.#clock = options.clock ?? realClock;
  }

  /**
   * Runs `work` until it succeeds. Throws its error if that is final, if this node cannot do it, or if nobody wants the
   * result any more; and UNAVAILABLE if the same failure repeats for 30 s although the database answers.
   */
  async run<T>(work: () => Promise<T>, wanted: () => boolean): Promise<T> {
    let failure: string | undefined;
    let sinceMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (isFinal(error) || error instanceof NodeUnableError || !wanted()) throw error;
        const same = describe(error);
        if (same !== failure || !this.#isDatabaseAnswering()) {
          failure = same;
          sinceMs = this.#clock.now();
        }
        if (this.#clock.now() - sinceMs >= stuckAfterMs) throw this.#giveUp(error);
        await this.#clock.sleep(Math.random() * Math.min(this.#backoff.firstMs * 2 ** attempt, this.#backoff.maxMs));
        if (!wanted()) throw error;
        this.counts.retries += 1;
      }
    }
  }

  #giveUp(error: unknown): NodeUnableError {
    this.counts.stuck += 1;
    const message = 'the same failure repeats although the database answers; streams end with UNAVAILABLE and may resume';
    logOccasionally(this.#log, 'error', error, message, this.#clock.now());
    return new NodeUnableError('The server fails at this again and again: resume later, and another node may serve it.', error);
  }
}
