// Processes by id, with their children: stopped, continued, killed so that nothing is flushed, and limited.

import { readFileSync } from 'node:fs';
import { run, until } from '../../tests/support/process.ts';

/** The process, then its children. */
function familyOf(pid: number): number[] {
  return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)];
}

/** Stops all of them, and returns how many there are. The parent first, so that it starts no more. */
export function freeze(pid: number): number {
  process.kill(pid, 'SIGSTOP');
  return sendAll(familyOf(pid), 'SIGSTOP');
}

/** Continues all of them. */
export function thaw(pid: number): void {
  sendAll(familyOf(pid), 'SIGCONT');
}

/** Kills all of them, and returns how many there were. Resolves when they and their memory are gone. */
export async function killAll(pid: number): Promise<number> {
  freeze(pid);
  const family = familyOf(pid);
  sendAll(family, 'SIGKILL');
  await until('every process is gone', () => family.every(isGone));
  return family.length;
}

/** Ignores processes that have ended. */
function sendAll(pids: readonly number[], signal: NodeJS.Signals): number {
  return pids.filter((pid) => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  }).length;
}

/** Whether the process is gone, or a zombie, which holds no resources. */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Sets the limit of file descriptors of a running process, and returns the limit before. */
export async function limitDescriptors(pid: number, limit: number): Promise<number> {
  const options = ['--pid', String(pid), '--nofile', '--noheadings', '--output', 'SOFT'];
  const before = Number(await run('prlimit', options));
  await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  return before;
}
