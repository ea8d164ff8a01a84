// `npm run fuzz -- --seconds 60 --seed 1`: random operations, messages and requests for a real server, for half of the time with
// the embedded database, and then with PostgreSQL and Redis. `--storage` chooses one of the two. `--controls` runs servers that
// are broken on purpose, each of which the fuzzer must find.

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createDataFolder } from '../support/data-template.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { type StorageName, storages } from '../support/server.ts';
import { runControls } from './controls.ts';
import { fuzz } from './fuzzing.ts';
import { ServerUnderTest } from './server-under-test.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    storage: { type: 'string' },
    controls: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const chosen = storages.filter((name) => values.storage === undefined || values.storage === name);
if (chosen.length === 0) throw new Error(`--storage must be ${storages.join(' or ')}.`);

if (values.controls) await runControls(seed);
else for (const name of chosen) await run(name);

async function run(storage: StorageName): Promise<void> {
  const seconds = Number(values.seconds) / chosen.length;
  console.log(`fuzz: --seconds ${seconds} --seed ${seed} --storage ${storage}`);
  await using cleanup = new AsyncDisposableStack();
  const env = { LOG_LEVEL: 'error', RATE_LIMITS: 'off' };
  let server: ServerUnderTest;
  if (storage === 'PGlite') {
    const folder = cleanup.adopt(createDataFolder(), (each) => rmSync(each, { recursive: true, force: true }));
    server = cleanup.use(await ServerUnderTest.start({ ...env, DATA_DIR: folder }));
  } else {
    const postgres = cleanup.use(await startPostgres({ fsync: 'off' }));
    const redis = cleanup.use(await startRedis());
    const database = cleanup.use(await createDatabase(postgres.url));
    const services = { DATABASE_URL: database.url, REDIS_URL: redis.url, IDENTITY: 'guest' };
    server = cleanup.use(await ServerUnderTest.start({ ...env, ...services }, [], postgres.pid));
  }
  const { exchanges, unreached, memoryBytes } = await fuzz(server, { seed, seconds });
  const { before, after } = memoryBytes;
  console.log(
    `fuzz: ${exchanges} exchanges, memory ${toMiB(before)} MiB after the first ${toMiB(after)} MiB at the end, ${toMiB(server.peakBytes)} MiB at most; ` +
      `fields of the root types that no answer has: ${unreached.join(', ') || 'none'}`,
  );
}

function toMiB(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
