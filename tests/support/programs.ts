// Finds programs that tests need and npm does not provide: on the PATH, or in a Debian package that root may install.

import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run } from './process.ts';

/** The path of the first program that exists. Throws if none exists and none can be installed. */
export async function findProgram(names: readonly string[], debianPackage: string): Promise<string> {
  const find = () => names.map(onPath).find((path) => path !== undefined);
  const found = find();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && onPath('apt-get') !== undefined) {
    console.log(`${names[0]} is not installed: installing Debian’s package ${debianPackage}.`);
    // Test files run in parallel, and apt fails while another process holds its locks.
    const install = 'apt-get update && apt-get install --yes --no-install-recommends "$1"';
    await run('flock', [join(tmpdir(), 'gapless-apt.lock'), 'sh', '-c', install, 'sh', debianPackage], {
      // A package may start a server of its own, on the port that everyone uses.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    const installed = find();
    if (installed !== undefined) return installed;
  }
  throw new Error(`${names.join(' and ')} are not on the PATH: install one of them.`);
}

function onPath(command: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, command));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
