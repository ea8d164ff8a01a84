// The threads of the embedded database: at most one has the folder open.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { EmbeddedThreads } from '../../src/storage/embedded-threads.ts';
import { silentLog } from '../support/server.ts';

it('no thread opens the folder after the database was closed', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-threads-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const threads = new EmbeddedThreads(join(folder, 'data'), silentLog);
  await threads.current().query('select 1');
  await threads.close();
  const laterMs = performance.now() + 60_000;
  t.mock.method(performance, 'now', () => laterMs);
  const thread = threads.current();
  const { failure } = thread;
  if (!failure) await thread.close();
  assert.ok(failure);
});
