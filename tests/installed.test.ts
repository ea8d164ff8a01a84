// A checkout whose packages are not installed.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { start } from './support/process.ts';

const root = join(import.meta.dirname, '..');

it('npm start and node src/main.js end with exit 1 and one sentence if npm ci was not run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-checkout-'));
  try {
    for (const path of ['package.json', 'build.ts', 'src']) cpSync(join(root, path), join(folder, path), { recursive: true });
    const sentence = `The packages of Gapless are not installed: run npm ci in ${folder}/.\n`;
    const env = { PATH: process.env['PATH'], HOME: folder };
    const main = start(process.execPath, ['src/main.js'], { cwd: folder, env });
    assert.equal(await main.exited, 1);
    assert.equal(main.output(), sentence);
    const npm = start('npm', ['start', '--silent'], { cwd: folder, env });
    assert.equal(await npm.exited, 1);
    assert.equal(npm.output(), sentence);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
