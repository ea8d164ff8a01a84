// The packages of the contenders are the benchmark's own: Apollo Server and Mercurius want another graphql than Gapless.

import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from '../tests/support/process.ts';
import type { Contender } from './contender.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const lock = `${folder}package-lock.json`;
/** Written by npm when it is done. */
const installed = `${folder}node_modules/.package-lock.json`;

/** Installs them where a contender wants some and they are not there as the lock has them. */
export async function installPackages(contenders: readonly Contender[]): Promise<void> {
  if (contenders.every(({ packages }) => packages.length === 0)) return;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log('Installing the packages of the contenders: npm ci in bench/.');
  // The npm that has started this, if one has, on this Node.
  const npm = process.env['npm_execpath'];
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  await run(command, [...args, 'ci', '--no-audit', '--no-fund'], { cwd: folder });
}
