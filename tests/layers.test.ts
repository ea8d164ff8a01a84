// Imports of `src` run one way: a file imports only from its own folder and from what is to the right of it.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { it } from 'node:test';

/** From left to right. Folders in the same place do not import each other. A folder that is not named, such as `client`, is on its own. */
const layers =
  'main installed|serve app transport schema chat|feed bus|limits storage log-occasionally config|clock|errors|log log-output|rate-limits'.split(
    ' ',
  );
const layerOf = (part: string) => layers.findIndex((layer) => layer.split('|').includes(part));
const partOf = (path: string) => path.split('/')[0]?.replace(/\.[jt]s$/, '') ?? '';
const mayImport = (from: string, to: string) => from === to || (layerOf(from) >= 0 && layerOf(from) < layerOf(to));

it('every file imports only from its own folder and from what is to the right of it', () => {
  const files = globSync('**/*.{js,ts}', { cwd: 'src' });
  const imports = files.flatMap((file) =>
    Array.from(readFileSync(`src/${file}`, 'utf8').matchAll(/\b(?:from|import|import\()\s*'(\.[^']+)'/g), ([, path = '']) => ({
      file,
      imported: posix.join(posix.dirname(file), path),
    })),
  );
  assert.ok(imports.length > 300, `${imports.length} imports were found`);
  assert.deepEqual(
    imports.filter(({ file, imported }) => !mayImport(partOf(file), partOf(imported))),
    [],
  );
});
