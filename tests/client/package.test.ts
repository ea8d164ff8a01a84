// The package as users install it: packed, unpacked elsewhere, and imported by Node, TypeScript and a bundler.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../support/process.ts';

const root = join(import.meta.dirname, '../..');
const modules = join(root, 'node_modules');

const application = `import { applyRoomEvent, type ErrorCode, errorCode, eventStreams, resumable } from 'gapless/client';
import { resumableLink } from 'gapless/client/apollo';
import { resumableExchange } from 'gapless/client/urql';
import { createClient } from 'graphql-ws';

const live = resumable(createClient({ url: 'ws://localhost/graphql', retryAttempts: 0 }));
const code: ErrorCode | undefined = errorCode([{ message: 'Old', extensions: { code: 'CURSOR_EXPIRED' } }]);
resumableLink(live);
resumableExchange(resumable(eventStreams({ url: '/graphql' })));
console.log(code, typeof applyRoomEvent);
`;

describe('the package', { timeout: 120_000 }, () => {
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gapless-package-'));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
    const [tarball = ''] = readdirSync(folder);
    await run('tar', ['xf', tarball], { cwd: folder });
    mkdirSync(join(folder, 'node_modules'));
    await run('mv', ['package', 'node_modules/gapless'], { cwd: folder });
    // The dependencies of the application itself.
    for (const name of [
      'graphql-ws',
      'graphql',
      '@apollo',
      '@urql',
      '@0no-co',
      '@wry',
      '@graphql-typed-document-node',
      'rxjs',
      'wonka',
      'optimism',
      'tslib',
    ]) {
      symlinkSync(join(modules, name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'application.ts'), application);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('can be imported by Node', async () => {
    assert.equal(await run(process.execPath, ['application.ts'], { cwd: folder }), 'CURSOR_EXPIRED function\n');
  });

  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    it(`has types, for moduleResolution ${moduleResolution}`, async () => {
      const flags = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--lib', 'es2023,dom', '--types', ''];
      const tsc = [join(modules, 'typescript/bin/tsc'), ...flags, '--module', module, '--moduleResolution', moduleResolution];
      await run(process.execPath, [...tsc, 'application.ts'], { cwd: folder });
      writeFileSync(join(folder, 'wrong.ts'), `${application}\nexport const wrong: number = errorCode(1);\n`);
      await assert.rejects(run(process.execPath, [...tsc, 'wrong.ts'], { cwd: folder }), /wrong\.ts.*TS2322/s);
    });
  }

  it('can be bundled, without any part of the server', async () => {
    const { build } = await import('vite');
    const entry = join(folder, 'application.ts');
    await build({ root: folder, configFile: false, logLevel: 'error', build: { lib: { entry, formats: ['es'], fileName: 'bundle' } } });
    const bundle = readFileSync(join(folder, 'dist/bundle.js'), 'utf8');
    const found = ['CURSOR_EXPIRED', 'kysely', 'pothos', 'ioredis', '"node:'].filter((word) => bundle.includes(word));
    assert.deepEqual(found, ['CURSOR_EXPIRED']);
  });
});
