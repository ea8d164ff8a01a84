// A data folder with an empty, migrated PGlite database, which tests copy: to initialize PGlite takes seconds, a copy does not.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../src/storage/embedded.ts';
import { collectLog } from './log.ts';

/** Creates the template of a run. */
export async function createDataTemplate(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-template-'));
  await (await openEmbedded(folder, collectLog().log))[Symbol.asyncDispose]();
  return { folder, [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) };
}

/** Creates a data folder: a copy of the template at `DATA_TEMPLATE`, or an empty one if that is not set. */
export function createDataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-data-'));
  const template = process.env['DATA_TEMPLATE'];
  if (template !== undefined) cpSync(template, folder, { recursive: true });
  return folder;
}
