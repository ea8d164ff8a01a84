// The clock of the checks that find what the bus has lost: within 5 s while it is healthy, and each second while it is not.

import type { Clock } from '../clock.ts';
import type { Bus } from './bus.ts';

/** Interval of checks while the bus is not healthy. Shortened at random by up to a fifth, so that nodes do not check in step. */
const defaultIntervalMs = 1000;
/** While the bus is healthy, there is a check at every fifth interval: within 5 s. */
const healthyIntervals = 5;

/**
 * Runs `check` again and again until the returned timer is disposed. One check ends before the next begins. `check` must not
 * reject, and resolves with false if it failed and is to be repeated after one interval.
 */
export function planChecks(bus: Bus, clock: Clock, check: () => Promise<unknown>, intervalMs = defaultIntervalMs): Disposable {
  let timer: Disposable;
  let disposed = false;
  let failed = false;
  const plan = (turn: number) => {
    timer = clock.after(intervalMs * (0.8 + Math.random() / 5), async () => {
      // Each interval decides, so that a failing bus is noticed within one interval.
      if (failed || !bus.healthy || turn % healthyIntervals === 0) failed = (await check()) === false;
      if (!disposed) plan(turn + 1);
    });
  };
  plan(1);
  return {
    [Symbol.dispose]() {
      disposed = true;
      timer[Symbol.dispose]();
    },
  };
}
