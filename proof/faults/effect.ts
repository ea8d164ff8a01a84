// Shows that a fault had an effect, by the growth of counters of the nodes and their links.

import { setTimeout as sleep } from 'node:timers/promises';
import { growth } from '../rig/counts.ts';
import type { Effect, FaultContext } from './fault.ts';

/** Runs `work`, and counts the growth of these counters during it, over all nodes. */
export async function countEffect(
  { rig }: FaultContext,
  figure: string,
  counters: readonly string[],
  work: () => Promise<unknown>,
): Promise<Effect> {
  const before = await rig.counts();
  await work();
  return { figure, count: growth(before, await rig.counts(), ...counters) };
}

/** Runs `work` every `everyMs` for `lastsMs`. */
export async function repeatedly(lastsMs: number, everyMs: number, work: () => unknown): Promise<void> {
  const end = performance.now() + lastsMs;
  while (performance.now() < end) {
    await work();
    await sleep(everyMs);
  }
}

export const seconds = (ms: number) => `${ms / 1000} s`;
