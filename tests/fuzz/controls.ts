// Controls of the fuzzer: servers that are broken on purpose, each of which it must find. They show that a run without a finding
// means something.

import { fileURLToPath } from 'node:url';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { type Fault, Finding, fuzz } from './fuzzing.ts';
import type { Plant } from './planted.ts';
import { ServerUnderTest } from './server-under-test.ts';

const planted = fileURLToPath(new URL('planted.ts', import.meta.url));

/** What the fuzzer has to find. An answer of INTERNAL is also logged, and its client may have left before it. */
const controls: Record<Plant, readonly Fault[]> = {
  'resolver-throws': ['INTERNAL', 'error'],
  'promise-rejects': ['error'],
  'process-ends': ['end'],
  'resolver-loops': ['late'],
  'resolver-waits': ['late'],
  'heap-grows': ['held'],
  'descriptors-stay-open': ['held'],
  'feeds-stay': ['held'],
};
const exchanges = { seconds: 0, warmUp: 50, leastExchanges: 300 };
/** Short, because what is planted is never let go of. */
const settleMs = 8000;

/** Runs all controls. Throws if the fuzzer misses one. */
export async function runControls(seed: number): Promise<void> {
  await using postgres = await startPostgres({ fsync: 'off' });
  const missed: string[] = [];
  for (const [plant, faults] of Object.entries(controls)) {
    await using database = await createDatabase(postgres.url);
    const env = { DATABASE_URL: database.url, IDENTITY: 'guest', LOG_LEVEL: 'error', RATE_LIMITS: 'off', FUZZ_PLANT: plant };
    await using server = await ServerUnderTest.start(env, [planted], postgres.pid);
    const found = await fuzz(server, { seed, ...exchanges, settleMs }).catch((error: unknown) => error);
    const isFound = found instanceof Finding && faults.includes(found.fault);
    const message = found instanceof Error ? found.message.slice(0, 1000) : 'no finding';
    console.log(`control ${plant}: ${isFound ? `found, as ${found.fault}` : `missed: ${message}`}`);
    if (!isFound) missed.push(plant);
  }
  if (missed.length > 0) throw new Error(`The fuzzer did not find ${missed.join(', ')} with --seed ${seed}.`);
}
