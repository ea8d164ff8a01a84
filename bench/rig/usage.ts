// What a process has used, as the kernel counts it (https://docs.kernel.org/scheduler/sched-stats.html).

import { readdirSync, readFileSync } from 'node:fs';

/** CPU time in nanoseconds, of all threads that are there. */
export function cpuNsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + cpuNsAt(`${tasks}/${task}/schedstat`), 0);
}

/** The same, of a process and the children that it has started. */
export function familyCpuNsOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + cpuNsAt(`/proc/${child}/schedstat`), cpuNsOf(pid));
}

/** CPU time that went by on these cores and was not idle, in nanoseconds: what a hypervisor took included. */
export function busyNsOf(cores: readonly number[]): number {
  const lines = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = cores.flatMap((core) => {
    const [, user, nice, system, _idle, _iowait, irq, softirq, steal] = (lines.find((line) => line.startsWith(`cpu${core} `)) ?? '').split(
      ' ',
    );
    return [user, nice, system, irq, softirq, steal].map(Number);
  });
  return ticks.reduce((sum, each) => sum + each, 0) * nsPerTick;
}
/** USER_HZ is 100 wherever Linux is (proc(5)). */
const nsPerTick = 1e7;

/** Memory that is there, in bytes. */
export function rssBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Zero of what has ended meanwhile. */
function cpuNsAt(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ', 1)[0]);
  } catch {
    return 0;
  }
}
