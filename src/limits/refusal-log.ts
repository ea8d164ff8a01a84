// Logs refusals: for each user or address and limit the first one at once, and after that their number once a minute.

import { type Clock, every, realClock } from '../clock.ts';
import type { Log } from '../log.ts';

const everyMs = 60_000;
/** Maximum number of users and addresses that are remembered. Further ones are counted together. */
const maxRemembered = 1000;
const others = 'others';

interface Refused {
  readonly limit: string;
  readonly who: string;
  /** Refusals that have not been logged yet. */
  count: number;
}

export class RefusalLog implements Disposable {
  readonly #log: Log;
  readonly #refused = new Map<string, Refused>();
  readonly #timer: Disposable;

  constructor(log: Log, clock: Clock = realClock) {
    this.#log = log;
    this.#timer = every(clock, everyMs, () => this.#report());
  }

  /** Counts a refusal by `limit`. `who` is the id of a user, or an address. */
  add(limit: string, who: string): void {
    const key = `${limit} ${who}`;
    const known = this.#refused.get(key);
    if (known) known.count += 1;
    else if (who !== others && this.#refused.size >= maxRemembered) this.add(limit, others);
    else {
      this.#refused.set(key, { limit, who, count: 0 });
      this.#write({ limit, who, count: 1 });
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#report();
  }

  #report(): void {
    for (const [key, refused] of this.#refused) {
      if (refused.count === 0) this.#refused.delete(key);
      else this.#write(refused);
      refused.count = 0;
    }
  }

  #write({ limit, who, count }: Refused): void {
    this.#log.warn({ limit, who, count }, 'refused: over the rate limit');
  }
}
