// `npm run hostile`: attacks a server while ordinary users use it, and checks that each attack is refused or bounded: the p99 of
// the ordinary users at most doubles, none of their operations fails, and the server stays within 512 MiB.

import { execFileSync } from 'node:child_process';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { signIn } from '../proof/clients/api.ts';
import { createDatabase, startPostgres } from '../tests/support/postgres.ts';
import { startRedis } from '../tests/support/redis.ts';
import type { Mode } from './attack.ts';
import { attacks } from './attacks/all.ts';
import { OrdinaryUsers } from './ordinary.ts';
import { details, legend, tableHead, tableRow } from './report.ts';
import { Node } from './rig/node.ts';
import { seedLongRoom, seedRooms } from './rig/seed.ts';
import { findAsset, type Result, runAttack } from './run.ts';

const usage = `npm run hostile                     all attacks, under 6 minutes
  --attack <name>                only this; may be repeated
  --mode <limited | unlimited>   only with the default rate limits, or only with RATE_LIMITS=off
  --storage <postgres | pglite>  default: postgres, with Redis
  --once                         measure an attack that breaks a bound only once
  --details                      also the p99 of each kind of operation

${attacks.map(({ name, does }) => `  ${name.padEnd(36)}${does}`).join('\n')}`;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    attack: { ...text, multiple: true },
    mode: text,
    storage: text,
    once: { type: 'boolean' },
    details: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const names = values.attack;
const unknown = names?.find((name) => !attacks.some((attack) => attack.name === name));
if (unknown !== undefined) {
  console.error(`There is no attack "${unknown}".\n\n${usage}`);
  process.exit(2);
}
const modes: readonly Mode[] = (['unlimited', 'limited'] as const).filter((mode) => values.mode === undefined || mode === values.mode);
const longestMs = 5.5 * 60_000;

execFileSync(process.execPath, ['build.ts', '--if-stale'], { stdio: 'inherit' });
const startMs = performance.now();
const pace = { aloneMs: 2000, besideMs: 3000, attempts: values.once ? 1 : 3, againUntilMs: startMs + longestMs };
await using services = new AsyncDisposableStack();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void services.disposeAsync().finally(() => process.exit(1)));
/** Stopped first if the command is interrupted. */
const running = new Set<Node>();
services.defer(async () => {
  await Promise.all([...running].map((node) => node[Symbol.asyncDispose]()));
});
const storage = await openStorage();
/** Seeding runs without rate limits. The database is the same for all modes. */
const seeding = await Node.start({ ...storage, RATE_LIMITS: 'off' });
const longRoomId = await seedLongRoom(seeding.url);
const { accounts, roomId } = await OrdinaryUsers.createAccounts(seeding.url);
const { userId: victimId } = await signIn([seeding.url], 'Victim');
await seeding[Symbol.asyncDispose]();
if (storage['DATABASE_URL'] !== undefined) await seedRooms(storage['DATABASE_URL']);

const results: Result[] = [];
console.log(`${legend}\n\n${tableHead()}`);
for (const mode of modes) await runAll(mode);
if (values.details) console.log(`\n${results.map(details).join('\n')}`);
const broken = results.filter((result) => result.broken.length > 0);
const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
console.log(`\n${results.length} attacks, ${broken.length} not bounded, ${minutes} minutes.`);
process.exitCode = broken.length === 0 ? 0 : 1;

async function runAll(mode: Mode): Promise<void> {
  // Limits of an address apply to X-Forwarded-For, because the loopback interface has none.
  const env = { ...storage, TRUST_PROXY: '1', ...(mode === 'unlimited' ? { RATE_LIMITS: 'off' } : {}) };
  await using node = await Node.start(env);
  running.add(node);
  using ordinary = await OrdinaryUsers.open(node.url, accounts, roomId);
  const target = { port: node.port, url: node.url, roomId, longRoomId, victimId, assetPath: findAsset() };
  const warmUp = await ordinary.measure(sleep(4000));
  const atRest = Math.round(node.residentBytes / 2 ** 20);
  console.log(
    `| (none) | ${mode === 'limited' ? 'default' : 'off'} | | | | ${warmUp.failures.length} | ${atRest} | ${node.descriptors} | | the server alone |`,
  );
  for (const attack of attacks) {
    if ((attack.modes && !attack.modes.includes(mode)) || (names && !names.includes(attack.name))) continue;
    const result = await runAttack({ mode, node, ordinary, target, pace }, attack);
    results.push(result);
    console.log(tableRow(result));
  }
}

/** The settings of the storage. */
async function openStorage(): Promise<Record<string, string>> {
  if (values.storage === 'pglite')
    return { DATA_DIR: join(services.use(mkdtempDisposableSync(join(tmpdir(), 'gapless-hostile-'))).path, 'data') };
  const postgres = services.use(await startPostgres());
  const database = services.use(await createDatabase(postgres.url));
  const redis = services.use(await startRedis());
  return { DATABASE_URL: database.url, REDIS_URL: redis.url };
}
