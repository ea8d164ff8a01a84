// CPU time that may be used at once, and that comes back slowly. Ordinary use never exhausts it; who exhausts it gets a small
// part of the node's time from then on.

import type { Clock } from '../clock.ts';

export interface CreditBounds {
  /** CPU time that may be used at once. */
  readonly creditMs: number;
  /** A millisecond comes back after this many. */
  readonly restTimes: number;
  /** The longest rest. */
  readonly maxRestMs: number;
}

export class CpuCredit {
  readonly #clock: Clock;
  readonly #bounds: CreditBounds;
  #usedMs = 0;
  #atMs: number;

  constructor(clock: Clock, bounds: CreditBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#atMs = clock.now();
  }

  use(ms: number): void {
    const { creditMs, restTimes, maxRestMs } = this.#bounds;
    this.#refill();
    this.#usedMs = Math.min(this.#usedMs + ms, creditMs + maxRestMs / restTimes);
  }

  /** For how long its owner rests. 0 while there is credit. */
  get restMs(): number {
    this.#refill();
    return Math.max(0, this.#usedMs - this.#bounds.creditMs) * this.#bounds.restTimes;
  }

  /** How long until all of it is back. */
  get untilFullMs(): number {
    this.#refill();
    return this.#usedMs * this.#bounds.restTimes;
  }

  #refill(): void {
    const nowMs = this.#clock.now();
    this.#usedMs = Math.max(0, this.#usedMs - (nowMs - this.#atMs) / this.#bounds.restTimes);
    this.#atMs = nowMs;
  }
}
