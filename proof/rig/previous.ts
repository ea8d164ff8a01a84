// The previous version, from the git history, so that old and new nodes can run together.

import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../tests/support/process.ts';

/** The commit that upgrades start from and go back to. After a release, it becomes the commit of that release. */
export const previousVersion = 'a0660fd4f00bbf3d44572ad12bcf9cbc1099607a';

const root = fileURLToPath(new URL('../../', import.meta.url));
const installed = join(root, 'node_modules');

export interface Previous extends Disposable {
  /** Path of its `src/main.js`. */
  readonly main: string;
}

/** Checks the previous version out into a folder of its own. Throws if there is no git history. */
export async function checkOutPrevious(): Promise<Previous> {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-previous-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    await extract(folder);
    if (hasSamePackages(folder)) symlinkSync(installed, join(folder, 'node_modules'));
    else await run('npm', ['ci', '--omit=dev', '--ignore-scripts'], { cwd: folder });
  } catch (error) {
    remove();
    throw error;
  }
  return { main: join(folder, 'src/main.js'), [Symbol.dispose]: remove };
}

async function extract(folder: string): Promise<void> {
  const archive = join(folder, 'previous.tar');
  try {
    await run('git', ['archive', '--format=tar', '--output', archive, previousVersion], { cwd: root });
  } catch (cause) {
    throw new Error(
      `The upgrade from the previous version cannot be run: this folder has no git history with the commit ${previousVersion}.`,
      { cause },
    );
  }
  await run('tar', ['-xf', archive, '-C', folder]);
}

/** Whether every dependency of the previous version is installed here in the same version. */
function hasSamePackages(folder: string): boolean {
  const { dependencies } = read(join(folder, 'package.json')) as { dependencies: Record<string, string> };
  return Object.entries(dependencies).every(([name, version]) => {
    const manifest = join(installed, name, 'package.json');
    return existsSync(manifest) && (read(manifest) as { version: string }).version === version;
  });
}

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
