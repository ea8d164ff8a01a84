// Processes by their id, with the children that they started: stopped, let go on, and killed so that nothing is flushed.

import { readFileSync } from 'node:fs';
import { run, until } from '../../tests/support/process.ts';

/** The process and its children, itself first. */
function familyOf(pid: number): number[] {
  return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)];
}

/** Makes all of them silent, and says how many they are. The parent first: it starts no more. */
export function freeze(pid: number): number {
  process.kill(pid, 'SIGSTOP');
  return sendAll(familyOf(pid), 'SIGSTOP');
}

/** Lets all of them go on. */
export function thaw(pid: number): void {
  sendAll(familyOf(pid), 'SIGCONT');
}

/** Kills all of them, and says how many they were. Returns when they are gone, and their memory with them. */
export async function killAll(pid: number): Promise<number> {
  freeze(pid);
  const family = familyOf(pid);
  sendAll(family, 'SIGKILL');
  await until('every process is gone', () => family.every(isGone));
  return family.length;
}

/** Children that end meanwhile are none the worse for it. */
function sendAll(pids: readonly number[], signal: NodeJS.Signals): number {
  return pids.filter((pid) => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  }).length;
}

/** Gone, or a zombie: it holds nothing any more. */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Sets how many file descriptors a running process may have, and returns how many it might have had. */
export async function limitDescriptors(pid: number, limit: number): Promise<number> {
  const options = ['--pid', String(pid), '--nofile', '--noheadings', '--output', 'SOFT'];
  const before = Number(await run('prlimit', options));
  await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  return before;
}
