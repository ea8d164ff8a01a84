// How a fault shows that it was felt: by what the nodes and their links counted meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import { growth } from '../rig/counts.ts';
import type { Bite, Stage } from './fault.ts';

/** Does `work`, and counts by how much these counters grew meanwhile, on all nodes together. */
export async function felt({ rig }: Stage, figure: string, counters: readonly string[], work: () => Promise<unknown>): Promise<Bite> {
  const before = await rig.counts();
  await work();
  return { figure, count: growth(before, await rig.counts(), ...counters) };
}

/** Does `work` so often, for so long. */
export async function repeatedly(lastsMs: number, everyMs: number, work: () => unknown): Promise<void> {
  const end = performance.now() + lastsMs;
  while (performance.now() < end) {
    await work();
    await sleep(everyMs);
  }
}

export const seconds = (ms: number) => `${ms / 1000} s`;
