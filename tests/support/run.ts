// `npm test`: builds what is stale, starts PostgreSQL and Redis unless the environment names them, runs the tests, prints the time
// of the slowest files, and stops both servers.

import { globSync, mkdtempDisposableSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run as runTests } from 'node:test';
import { spec } from 'node:test/reporters';
import { createDataTemplate } from './data-template.ts';
import { longestFirst } from './order.ts';
import { createPostgresTemplate, startPostgres } from './postgres.ts';
import { start } from './process.ts';
import { startRedis } from './redis.ts';

/** The shared server never crashes. Tests of crashes start servers of their own, with the defaults. */
const unsafe = { fsync: 'off', full_page_writes: 'off' };
/** Many files wait for deadlines, processes and pages, and would leave a core idle. */
const concurrency = availableParallelism() + 1;
const timeoutMs = 300_000;
const shown = 15;

const named = process.argv.slice(2);
const files = longestFirst(named.length > 0 ? named : globSync('tests/**/*.test.ts'));
await using services = new AsyncDisposableStack();
const { env } = process;
env['NODE_ENV'] = 'test';
// The tests start hundreds of processes, and each loads the same modules.
env['NODE_COMPILE_CACHE'] ??= services.use(mkdtempDisposableSync(join(tmpdir(), 'gapless-compiled-'))).path;
const startServers = async () => {
  env['POSTGRES_TEMPLATE'] = services.use(await createPostgresTemplate()).folder;
  env['DATABASE_URL'] ??= services.use(await startPostgres(unsafe)).url;
  env['REDIS_URL'] ??= services.use(await startRedis()).url;
  env['DATA_TEMPLATE'] = services.use(await createDataTemplate()).folder;
};
const build = start(process.execPath, ['build.ts', '--if-stale'], { stdio: 'inherit' });
await Promise.all([build.exited, startServers()]);

const tests = runTests({ files, concurrency, timeout: timeoutMs, execArgv: [`--test-timeout=${timeoutMs}`] });
const times: { file: string; ms: number }[] = [];
tests.on('test:fail', () => (process.exitCode = 1));
tests.on('test:summary', ({ file, duration_ms: ms }) => {
  if (file !== undefined) times.push({ file: relative(process.cwd(), file), ms });
});
for await (const text of tests.compose(new spec())) process.stdout.write(String(text));
if (times.length > 1) {
  console.log(`The slowest of ${times.length} files, in seconds:`);
  for (const { file, ms } of times.toSorted((a, b) => b.ms - a.ms).slice(0, shown))
    console.log(`${(ms / 1000).toFixed(1).padStart(6)} ${file}`);
}
