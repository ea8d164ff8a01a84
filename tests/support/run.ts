// `npm test`: builds what is stale, starts PostgreSQL and Redis unless the environment names them, runs the tests, and stops
// both servers.

import { execFileSync, spawn } from 'node:child_process';
import { globSync, mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataTemplate } from './data-template.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

/** The shared server never crashes. Tests of crashes start servers of their own, with the defaults. */
const unsafe = { fsync: 'off', full_page_writes: 'off' };
const files = process.argv.slice(2);
execFileSync(process.execPath, ['build.ts', '--if-stale'], { stdio: 'inherit' });
await using services = new AsyncDisposableStack();
const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'test' };
env['DATABASE_URL'] ??= services.use(await startPostgres(unsafe)).url;
env['REDIS_URL'] ??= services.use(await startRedis()).url;
// The tests start hundreds of processes, and each loads the same modules.
env['NODE_COMPILE_CACHE'] ??= services.use(mkdtempDisposableSync(join(tmpdir(), 'gapless-compiled-'))).path;
env['DATA_TEMPLATE'] = services.use(await createDataTemplate()).folder;

const tests = spawn(
  process.execPath,
  ['--test', '--test-concurrency=3', '--test-timeout=300000', ...(files.length > 0 ? files : globSync('tests/**/*.test.ts'))],
  { env, stdio: 'inherit' },
);
process.exitCode = await new Promise<number>((resolve) => tests.once('exit', (code) => resolve(code ?? 1)));
