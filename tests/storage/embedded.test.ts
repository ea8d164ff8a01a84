// The folder of an embedded server: one process at a time, and free again as soon as that one is gone.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { startNode, startProgram } from '../support/node.ts';
import { silentLog } from '../support/server.ts';

describe('the data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-data-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  // The trap: two processes open one PGlite folder without an error, and each loses the other's rows.
  it('is refused to a second process with a sentence, and free again once the first was killed with -9', async () => {
    const dataDir = join(folder, 'shared');
    const sentence = `DATA_DIR ${dataDir} is in use by another Gapless: stop that one, or give this one a folder of its own.\n`;
    const first = await startNode({ DATA_DIR: dataDir });
    try {
      const second = startProgram({ DATA_DIR: dataDir, PORT: '0' });
      assert.equal(await second.exited, 1);
      assert.equal(second.output(), sentence);
      await assert.rejects(openStorage({ dataDir }, silentLog), { message: sentence.trim() });
    } finally {
      await first.program.stop('SIGKILL');
    }
    await using storage = await openStorage({ dataDir }, silentLog);
    // Within one process it is no different.
    await assert.rejects(openStorage({ dataDir }, silentLog), ConfigError);
    assert.ok(storage.db);
  });

  it('is refused with a sentence where it is a file', async () => {
    const dataDir = join(folder, 'file');
    writeFileSync(dataDir, '');
    await assert.rejects(
      openStorage({ dataDir }, silentLog),
      (error) => error instanceof ConfigError && error.message.startsWith(`DATA_DIR ${dataDir} cannot be used: `),
    );
  });
});
