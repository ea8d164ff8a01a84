// A client whose operations took long rests before its next query, so that its queries use a small part of the node's time.
// Mutations do not wait: they cost little, and a client that reads much may still send.

import { type Clock, realClock } from '../clock.ts';
import { rateLimited } from '../errors.ts';
import { CpuCredit } from './cpu-credit.ts';

/** Work that is not counted, in milliseconds of CPU time. An ordinary query takes one. */
const freeMs = 4;
/** After its credit, a client uses a hundredth of the time: then fewer than one in a hundred operations of others meets it. */
const bounds = { creditMs: 400, restTimes: 100, maxRestMs: 4000 };
/** The least time between the starts of those who waited, so that the first of them is counted before the next starts. */
const spacingMs = 2;
/** Operations of one client that wait. */
const maxWaiting = 100;

interface Rest {
  readonly credit: CpuCredit;
  readonly waiting: (() => void)[];
}

export class Rests {
  readonly #clock: Clock;
  /** The clients whose credit is not full. */
  readonly #rests = new Map<string, Rest>();

  constructor(clock: Clock = realClock) {
    this.#clock = clock;
  }

  /** Resolves when the client has rested. Undefined if it need not rest. Throws RATE_LIMITED if too many of its operations wait. */
  rested(key: string): Promise<void> | undefined {
    const rest = this.#rests.get(key);
    if (!rest || (rest.waiting.length === 0 && rest.credit.restMs === 0)) return undefined;
    if (rest.waiting.length >= maxWaiting) throw rateLimited('Your operations take too much of this node: wait until some are answered.');
    const { promise, resolve } = Promise.withResolvers<void>();
    if (rest.waiting.push(resolve) === 1) this.#startNext(rest);
    return promise;
  }

  /** Counts CPU time that the client's operation took. */
  charge(key: string, ms: number): void {
    if (ms < freeMs) return;
    const known = this.#rests.get(key);
    const rest = known ?? { credit: new CpuCredit(this.#clock, bounds), waiting: [] };
    rest.credit.use(ms);
    if (known) return;
    this.#rests.set(key, rest);
    this.#forget(key, rest);
  }

  #startNext(rest: Rest): void {
    this.#clock.after(Math.max(rest.credit.restMs, spacingMs), () => {
      if (rest.credit.restMs === 0) rest.waiting.shift()?.();
      if (rest.waiting.length > 0) this.#startNext(rest);
    });
  }

  /** Forgets the client once its credit is full. */
  #forget(key: string, rest: Rest): void {
    this.#clock.after(Math.ceil(rest.credit.untilFullMs), () => {
      if (rest.waiting.length === 0 && rest.credit.untilFullMs === 0) this.#rests.delete(key);
      else this.#forget(key, rest);
    });
  }
}
