// How long a server takes by its own doing: the time of an answer without the time in which its processes were ready to run and
// the machine ran others. So a busy machine does not make an answer late, and a busy or waiting server still does.

import { readdirSync, readFileSync } from 'node:fs';

interface Times {
  /** Time on a core of each thread. */
  readonly runMs: ReadonlyMap<string, number>;
  /** Time that all threads have waited for a core. */
  readonly waitMs: number;
}

/** https://docs.kernel.org/scheduler/sched-stats.html: nanoseconds on a core, and in the queue of one. */
function timesOf(processes: readonly number[]): Times {
  const runMs = new Map<string, number>();
  let waitMs = 0;
  for (const pid of processes) {
    for (const thread of listThreads(pid)) {
      const [run, wait] = readText(`/proc/${pid}/task/${thread}/schedstat`).split(' ').map(Number) as [number, number];
      runMs.set(`${pid} ${thread}`, run / 1e6);
      waitMs += (wait || 0) / 1e6;
    }
  }
  return { runMs, waitMs };
}

/** Runs `work`, and resolves with what it took by the doing of these processes. */
export async function ownMsOf(processes: () => readonly number[], work: () => Promise<unknown>): Promise<number> {
  const before = timesOf(processes());
  const startMs = performance.now();
  await work();
  const elapsedMs = performance.now() - startMs;
  const after = timesOf(processes());
  const busiestMs = Math.max(...[...after.runMs].map(([thread, ms]) => ms - (before.runMs.get(thread) ?? 0)));
  return Math.max(busiestMs, elapsedMs - (after.waitMs - before.waitMs));
}

const listThreads = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
};

/** The text of a file of /proc. Empty if its thread has ended. */
const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
