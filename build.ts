// Builds the browser code: the client kit (dist/client), which applications import, and the web chat and GraphiQL (dist/web),
// which the server serves. With --if-stale, builds only if the sources have changed since the last build.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const root = import.meta.dirname;
const dist = join(root, 'dist');
/** The best quality takes ten times as long as the other one, which matters for the 5 MB of GraphiQL. */
const brotliQuality = { best: 11, ofLargeFiles: 9 };
const largeBytes = 500_000;
/** Holds a hash of the sources. Written last, so that an interrupted build is stale. */
const mark = join(dist, 'sources');
const sources = ['web/**/*.*', 'src/client/*.*', 'build.ts', 'package-lock.json'];

const hash = createHash('sha256');
for (const file of globSync(sources, { cwd: root }).toSorted()) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
const digest = hash.digest('hex');
const isCurrent = existsSync(mark) && readFileSync(mark, 'utf8') === digest;

if (!process.argv.includes('--if-stale')) await build();
else if (!isCurrent) {
  console.error('Building the web chat and the client kit …');
  // The build needs the development dependencies. The server runs without it.
  await build().catch((error: unknown) => console.error(`The build failed: ${error instanceof Error ? error.message : error}`));
}

async function build(): Promise<void> {
  // React would be the development build otherwise, which is half as large again.
  process.env['NODE_ENV'] = 'production';
  const vite = await import('vite');
  rmSync(dist, { recursive: true, force: true });
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'src/client'], { cwd: root, stdio: 'inherit' });
  await vite.build({ configFile: join(root, 'web/vite.config.ts'), logLevel: 'warn' });
  const { buildGraphiQL } = await import('./web/graphiql/build.ts');
  await buildGraphiQL(join(dist, 'web'));
  await Promise.all(globSync('web/assets/*.{js,css,svg}', { cwd: dist }).map((file) => compress(join(dist, file))));
  writeFileSync(mark, digest);
}

async function compress(file: string): Promise<void> {
  const content = readFileSync(file);
  const quality = content.length < largeBytes ? brotliQuality.best : brotliQuality.ofLargeFiles;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality };
  writeFileSync(`${file}.br`, await promisify(brotliCompress)(content, { params }));
  writeFileSync(`${file}.gz`, await promisify(gzip)(content, { level: 9 }));
}
