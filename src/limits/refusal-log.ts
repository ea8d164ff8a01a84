// Logs refusals: for each user or address and limit the first one at once, and after that their number once a minute, so that a
// client that repeats them does not fill the log.

import { type Clock, every, realClock } from '../clock.ts';
import type { Log } from '../log.ts';

const everyMs = 60_000;
/** Maximum number of users and addresses that are remembered. Further ones are counted together. */
const maxRemembered = 1000;
const others = 'others';

/** What a user or an address is refused for: a rate limit, or a rule that the message of the error names. */
export interface Refusal {
  readonly limit?: string;
  readonly reason?: string;
}

interface Refused extends Refusal {
  readonly who: string;
  /** Refusals that have not been logged yet. */
  readonly count: number;
}

export class RefusalLog implements Disposable {
  readonly #log: Log;
  readonly #refused = new Map<string, Refused>();
  readonly #timer: Disposable;

  constructor(log: Log, clock: Clock = realClock) {
    this.#log = log;
    this.#timer = every(clock, everyMs, () => this.#report());
  }

  /** Counts a refusal. `who` is the id of a user, or an address. Refusals without a limit count together, with the latest reason. */
  add(who: string, refusal: Refusal): void {
    const key = `${refusal.limit ?? ''} ${who}`;
    const known = this.#refused.get(key);
    if (known) this.#refused.set(key, { ...refusal, who, count: known.count + 1 });
    else if (who !== others && this.#refused.size >= maxRemembered) this.add(others, refusal);
    else {
      this.#refused.set(key, { ...refusal, who, count: 0 });
      this.#write({ ...refusal, who, count: 1 });
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#report();
  }

  #report(): void {
    for (const [key, refused] of this.#refused) {
      if (refused.count === 0) this.#refused.delete(key);
      else {
        this.#write(refused);
        this.#refused.set(key, { ...refused, count: 0 });
      }
    }
  }

  #write(refused: Refused): void {
    this.#log.warn(refused, 'requests were refused');
  }
}
