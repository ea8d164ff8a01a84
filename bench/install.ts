// The contenders have packages of their own in bench/, because Apollo Server and Mercurius need another version of graphql.

import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from '../tests/support/process.ts';
import type { Contender } from './contender.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const lock = `${folder}package-lock.json`;
/** npm writes this file last. */
const installed = `${folder}node_modules/.package-lock.json`;

/** Runs `npm ci` in bench/ if a contender needs packages and they are missing or older than the lock file. */
export async function installPackages(contenders: readonly Contender[]): Promise<void> {
  if (contenders.every(({ packages }) => packages.length === 0)) return;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log('Installing the packages of the contenders: npm ci in bench/.');
  // Uses the npm that started this process, if any, on this version of Node.
  const npm = process.env['npm_execpath'];
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  await run(command, [...args, 'ci', '--no-audit', '--no-fund'], { cwd: folder });
}
