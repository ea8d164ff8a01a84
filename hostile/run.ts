// Runs attacks one after the other against one server, beside ordinary users, and judges each by its bounds.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../tests/support/process.ts';
import type { Attack, Mode, Outcome, Target } from './attack.ts';
import type { FromAttacker, ToAttacker } from './attacker.ts';
import type { Figures, OrdinaryUsers } from './ordinary.ts';
import type { Node, Usage } from './rig/node.ts';
import { createUsers } from './rig/seed.ts';

export const maxBytes = 512 * 1024 * 1024;
/** The 99th percentile beside an attack, as a multiple of that alone. */
export const maxRatio = 2;
/** Descriptors that may stay open after an attack: connections of HTTP clients that are kept alive, and of the pools. */
const keptDescriptors = 64;
const attacker = fileURLToPath(new URL('./attacker.ts', import.meta.url));

export interface Pace {
  readonly aloneMs: number;
  readonly besideMs: number;
  /** An attack that seems to slow the ordinary users is measured this many times, and the median counts: two windows of a few
   * seconds differ by chance. */
  readonly attempts: number;
  /** Nothing is measured again after this, on the clock of performance.now(). */
  readonly againUntilMs: number;
}

export interface Result {
  readonly attack: Attack;
  readonly mode: Mode;
  readonly alone: Figures;
  readonly beside: Figures;
  readonly outcome: Outcome;
  readonly usage: Usage;
  readonly descriptors: { readonly before: number; readonly after: number };
  /** The ratios of the 99th percentiles of all attempts. */
  readonly ratios: readonly number[];
  /** One sentence for each bound that is broken. */
  readonly broken: readonly string[];
}

export interface Scene {
  readonly mode: Mode;
  readonly node: Node;
  readonly ordinary: OrdinaryUsers;
  readonly target: Omit<Target, 'users'>;
  readonly pace: Pace;
}

export async function runAttack(scene: Scene, attack: Attack): Promise<Result> {
  const results = [await attempt(scene, attack)];
  const ratio = () => median(results.map(({ ratios }) => ratios[0] as number));
  while (results.length < scene.pace.attempts && performance.now() < scene.pace.againUntilMs && ratio() > maxRatio)
    results.push(await attempt(scene, attack));
  results.sort((a, b) => (a.ratios[0] as number) - (b.ratios[0] as number));
  const typical = results[Math.floor((results.length - 1) / 2)] as Result;
  const slow = ratio() > maxRatio ? [`p99 is ${ratio().toFixed(1)} times that alone`] : [];
  return {
    ...typical,
    ratios: results.map(({ ratios }) => ratios[0] as number),
    broken: [...slow, ...new Set(results.flatMap(({ broken }) => broken))],
  };
}

async function attempt({ mode, node, ordinary, target, pace }: Scene, attack: Attack): Promise<Result> {
  const users = await createUsers(node.url, attack.users ?? 1);
  const before = node.descriptors;
  const alone = await ordinary.measure(sleep(pace.aloneMs));
  const { result, usage } = await node.measure(async () => {
    const attacking = startAttack(attack, { ...target, users });
    await attacking.begun;
    const beside = await ordinary.measure(sleep(attack.besideMs ?? pace.besideMs));
    return { beside, outcome: await attacking.end() };
  });
  await until('the server is idle', async () => node.descriptors <= before + keptDescriptors, 5000).catch(() => {});
  const after = node.descriptors;
  await sleep(300);
  const { beside, outcome } = result;
  const broken = [
    ...(beside.failures.length > 0 ? [`${beside.failures.length} operations of ordinary users failed: ${beside.failures[0]}`] : []),
    ...(usage.peakBytes > maxBytes ? [`the server used ${Math.round(usage.peakBytes / 2 ** 20)} MiB`] : []),
    ...(after > before + keptDescriptors ? [`${after - before} descriptors stayed open`] : []),
    ...(outcome['INTERNAL'] ? [`INTERNAL ${outcome['INTERNAL']} times`] : []),
    ...[attack.check?.(outcome) ?? []].flat(),
  ];
  const ratios = [beside.all.percentile(0.99) / alone.all.percentile(0.99)];
  return { attack, mode, alone, beside, outcome, usage, descriptors: { before, after }, ratios, broken };
}

function startAttack(attack: Attack, target: Target) {
  const child = fork(attacker, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const tell = (message: ToAttacker) => child.send(message);
  const ended = Promise.withResolvers<Outcome>();
  const begun = Promise.withResolvers<void>();
  child.on('message', (message: FromAttacker) => (message === 'begun' ? begun.resolve() : ended.resolve(message.outcome)));
  child.once('exit', (code) => {
    const error = new Error(`The attackers of "${attack.name}" ended with ${code}.`);
    begun.reject(error);
    ended.reject(error);
  });
  ended.promise.catch(() => {});
  begun.promise.catch(() => {});
  tell({ attack: attack.name, target });
  return {
    begun: begun.promise,
    async end(): Promise<Outcome> {
      tell('end');
      const outcome = await Promise.race([ended.promise, sleep(10_000).then((): Outcome => ({ 'attackers did not end': 1 }))]);
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      return outcome;
    },
  };
}

/** The path of the page's script. */
export function findAsset(): string {
  const file = readdirSync(new URL('../dist/web/assets/', import.meta.url)).find((name) => /^index-.*\.js$/.test(name));
  if (file === undefined) throw new Error('The web chat is not built: run npm run build.');
  return `/assets/${file}`;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] as number;
