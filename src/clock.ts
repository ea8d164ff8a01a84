// The clock and timers of classes that wait. Injected, so that tests do not wait for real time.

import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Milliseconds of a clock that never goes back. Its zero is arbitrary. */
  now(): number;
  /** Calls `run` once after `ms`, unless the returned timer is disposed before. Does not keep the process alive. */
  after(ms: number, run: () => void): Disposable;
  /** Resolves after `ms`. Does not keep the process alive. */
  sleep(ms: number): Promise<void>;
}

export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
  sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms).unref()),
};

/** Calls `run` every `ms` until the returned timer is disposed. */
export function every(clock: Clock, ms: number, run: () => void): Disposable {
  let timer: Disposable;
  const plan = () => {
    timer = clock.after(ms, () => {
      plan();
      run();
    });
  };
  plan();
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
