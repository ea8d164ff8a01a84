// A client whose operation took long rests before its next query, so that its queries use a small part of the node's time.
// Mutations do not wait: they cost little, and whoever reads much may still send.

import { type Clock, realClock } from '../clock.ts';
import { rateLimited } from '../errors.ts';

/** Work that costs its client no rest, in milliseconds of CPU time. An ordinary query takes one. */
export const freeMs = 4;
/** A client rests for this many times the time that its operation took: then fewer than one in a hundred operations of others
 * meets it. */
const restTimes = 100;
const maxRestMs = 4000;
/** The least time between the starts of those who waited, so that the first of them is counted before the next starts. */
const spacingMs = 2;
/** Operations of one client that wait. */
const maxWaiting = 100;

interface Rest {
  untilMs: number;
  readonly waiting: (() => void)[];
}

export class Rests {
  readonly #clock: Clock;
  readonly #rests = new Map<string, Rest>();

  constructor(clock: Clock = realClock) {
    this.#clock = clock;
  }

  /** Resolves when the client has rested. Undefined if it need not rest. Throws RATE_LIMITED if too many of its operations wait. */
  rested(key: string): Promise<void> | undefined {
    const rest = this.#rests.get(key);
    if (!rest) return undefined;
    if (rest.waiting.length >= maxWaiting) throw rateLimited('Your operations take too much of this node: wait until some are answered.');
    return new Promise((resolve) => rest.waiting.push(resolve));
  }

  /** Counts CPU time that the client's operation took. */
  charge(key: string, ms: number): void {
    if (ms < freeMs) return;
    const nowMs = this.#clock.now();
    const known = this.#rests.get(key);
    const rest = known ?? { untilMs: nowMs, waiting: [] };
    rest.untilMs = Math.min(Math.max(rest.untilMs, nowMs) + ms * restTimes, nowMs + maxRestMs);
    if (known) return;
    this.#rests.set(key, rest);
    this.#wait(key, rest);
  }

  #wait(key: string, rest: Rest): void {
    this.#clock.after(Math.max(rest.untilMs - this.#clock.now(), spacingMs), () => {
      if (rest.untilMs <= this.#clock.now()) {
        const start = rest.waiting.shift();
        if (!start) return void this.#rests.delete(key);
        start();
      }
      this.#wait(key, rest);
    });
  }
}
