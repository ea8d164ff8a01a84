// Sends without the way to them: a program that calls a contender's write path, in the place of its server.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../tests/support/process.ts';
import type { Contender } from '../contender.ts';
import type { Rig } from '../rig/rig.ts';
import { startOnCore } from '../rig/server.ts';
import { cpuNsOf } from '../rig/usage.ts';
import type { Pace, Sample } from './scenario.ts';

/** Sends a second. */
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
    await until('sends are counted', () => program.child.exitCode !== null || program.output().includes('counting\n'), warmUpMs + 30_000);
    const own = { cpuNs: () => cpuNsOf(program.child.pid as number) };
    // A little less than all of it, so that the program is still there at the end.
    const { doubts } = await rig.measure([own], () => sleep(sendsMs * 0.9));
    const code = await program.exited;
    const [, rate] = /^sends a second: (.*)$/m.exec(program.output()) ?? [];
    if (code !== 0 || rate === undefined) throw new Error(`The write path ended with ${code}:\n${program.output()}`);
    return { value: Number(rate), doubts };
  } finally {
    await program.stop('SIGKILL');
  }
}
