// Runs the operations that may be large one at a time, the users in turn, and rests once they have taken much time. Their results are megabytes
// that are built without a pause: several at once would fill the memory, and one after the other would leave no time to the
// others.

import { FairQueue } from '../chat/fair-queue.ts';
import { type Clock, realClock } from '../clock.ts';
import { rateLimited } from '../errors.ts';
import { CpuCredit } from './cpu-credit.ts';

/** Large operations of one client that wait. */
const maxWaiting = 20;
/** CPU time of all of them: after the credit, they use a fiftieth of the time. */
const bounds = { creditMs: 400, restTimes: 50, maxRestMs: 20_000 };

interface Waiting {
  readonly work: () => Promise<number>;
}

export class LargeOperations {
  readonly #clock: Clock;
  readonly #waiting = new FairQueue<Waiting>();
  readonly #credit: CpuCredit;
  #working = false;

  constructor(clock: Clock = realClock) {
    this.#clock = clock;
    this.#credit = new CpuCredit(clock, bounds);
  }

  /**
   * Runs `work`, which returns its result and for how many milliseconds it blocked the event loop. Throws RATE_LIMITED if the
   * client has too many waiting.
   */
  run<Result>(key: string, work: () => Promise<{ result: Result; blockedMs: number }>): Promise<Result> {
    if (this.#waiting.sizeOf(key) >= maxWaiting) {
      return Promise.reject(rateLimited(`You have ${maxWaiting} large operations waiting: wait until some are answered.`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const settle = async () => {
      try {
        const { result, blockedMs } = await work();
        resolve(result);
        return blockedMs;
      } catch (error) {
        reject(error);
        return 0;
      }
    };
    this.#waiting.add(key, { work: settle });
    if (!this.#working) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let next = this.#take(); next; next = this.#take()) {
      this.#credit.use(await next.work());
      const { restMs } = this.#credit;
      if (restMs > 0) await this.#clock.sleep(restMs);
    }
    this.#working = false;
  }

  #take(): Waiting | undefined {
    let taken: Waiting | undefined;
    this.#waiting.takeWhile((next) => {
      if (taken) return false;
      taken = next;
      return true;
    });
    return taken;
  }
}
