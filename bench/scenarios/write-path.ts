// Measures the write path of a contender: a program calls it directly, in place of the server.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import type { Contender } from '../contender.ts';
import type { Rig } from '../rig/rig.ts';
import { startOnCore } from '../rig/server.ts';
import { cpuNsOf } from '../rig/usage.ts';
import type { Pace, Sample } from './scenario.ts';

/** Measures sends per second. */
export async function measureWritePath(
  rig: Rig,
  { writePath, nodeArgs = [] }: Contender,
  callers: number,
  { warmUpMs, sendsMs }: Pace,
): Promise<Pick<Sample, 'value' | 'doubts'>> {
  await using database = await rig.services.createDatabase();
  const program = startOnCore(rig.cores.server, writePath as URL, nodeArgs, {
    DATABASE_URL: database.url,
    CALLERS: String(callers),
    WARM_UP_MS: String(warmUpMs),
    WINDOW_MS: String(sendsMs),
  });
  try {
    await until(
      'sends are being counted',
      () => program.child.exitCode !== null || program.output().includes('counting\n'),
      warmUpMs + 30_000,
    );
    const own = { cpuNs: () => cpuNsOf(program.child.pid as number) };
    // A little shorter than the window, so that the program is still running at the end.
    const { doubts } = await rig.measure([own], () => sleep(sendsMs * 0.9));
    const code = await program.exited;
    const [, rate] = /^sends a second: (.*)$/m.exec(program.output()) ?? [];
    if (code !== 0 || rate === undefined) throw new Error(`The write path ended with ${code}:\n${program.output()}`);
    return { value: Number(rate), doubts };
  } finally {
    await program.stop('SIGKILL');
  }
}
