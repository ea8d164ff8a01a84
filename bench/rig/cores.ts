// Pins processes to cores: the measured server has a core to itself. The load, PostgreSQL and Redis share another one.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Moves this process, and every process that it starts later, to the load's core. Throws if that is not possible. */
export function takeLoadCore(): Cores {
  if (process.platform !== 'linux') throw new Error('The benchmark pins processes to cores and reads /proc: it needs Linux.');
  const [server, load] = allowedCores();
  if (server === undefined || load === undefined) {
    throw new Error('The benchmark needs 2 cores, one for the server and one for the load, but this process may use only one.');
  }
  try {
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(load), String(process.pid)], { stdio: 'pipe' });
  } catch (cause) {
    throw new Error('The benchmark pins processes to cores with taskset, which failed to run: install util-linux.', { cause });
  }
  return { server, load };
}

/** The command line that runs a program on a core. */
export const onCore = (core: number, command: string, args: readonly string[]): [string, string[]] => [
  'taskset',
  ['--cpu-list', String(core), command, ...args],
];

/** The cores that this process may use. */
function allowedCores(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
