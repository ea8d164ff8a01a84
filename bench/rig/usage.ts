// CPU time and memory of a process, as the kernel counts them (https://docs.kernel.org/scheduler/sched-stats.html).

import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of all threads of a process, in nanoseconds. */
export function cpuNsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + cpuNsAt(`${tasks}/${task}/schedstat`), 0);
}

/** CPU time of a process and its children, in nanoseconds. */
export function familyCpuNsOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + cpuNsAt(`/proc/${child}/schedstat`), cpuNsOf(pid));
}

/** Time in which these cores were not idle, in nanoseconds. Includes what a hypervisor took. */
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
/** USER_HZ is 100 on Linux (proc(5)). */
const nsPerTick = 1e7;

/** Resident memory, in bytes. */
export function rssBytesOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** 0 if the process or thread has ended meanwhile. */
function cpuNsAt(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ', 1)[0]);
  } catch {
    return 0;
  }
}
