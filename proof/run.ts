// One run: a cluster, its writers and watchers, and faults one after the other. At the end, the history is checked against the
// final state.

import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '../tests/support/random.ts';
import { check, type Judgement } from './checker.ts';
import { Crowd } from './clients/crowd.ts';
import type { Outbox } from './clients/outbox.ts';
import type { Effect, Fault } from './faults/fault.ts';
import { Journal, now } from './journal.ts';
import { checkOutPrevious } from './rig/previous.ts';
import { Rig, type RigOptions } from './rig/rig.ts';

/**
 * `delayMs`: from acknowledgement to delivery without a fault; the head check finds a lost entry within 5 s. `healedMs`: how
 * long a fault may have effects after it is healed.
 */
export const bounds = { delayMs: 6000, healedMs: 15_000 };
/** Pause before each fault, so that it is injected into a cluster that works. */
const pauseBeforeFaultMs = 2000;

export interface Plan {
  readonly seed: number;
  /** In the order in which they are injected. */
  readonly faults: readonly Fault[];
  /** Minimum number of acknowledged messages. */
  readonly messages: number;
  /** Messages a second while faults are injected. */
  readonly rate: number;
  readonly rooms: number;
  readonly watchersPerRoom: number;
  readonly writers: number;
  /** After a fault, how long to wait until every watcher has received everything. */
  readonly recoveryMs: number;
  /** Before the first fault, for the connections of the nodes to settle. */
  readonly settleMs?: number | undefined;
  /** Options of the rig, such as the arguments that load a control. */
  readonly rig?: Pick<RigOptions, 'nodeArgs' | 'env' | 'postgresSettings' | 'pooled'>;
  /** Path of the file that the history is written to. */
  readonly journal?: string | undefined;
}

export interface Run {
  readonly judgement: Judgement;
  /** The effects of each fault, one for each injection. */
  readonly effects: ReadonlyMap<string, readonly Effect[]>;
  /** What the nodes answered to writers, other than success. */
  readonly answers: Pick<Outbox, 'refusals' | 'slowAttempts' | 'worstAnswerMs'>;
  /** Why the run ended early. The judgement then covers what happened until then. */
  readonly abortReason: string | undefined;
  readonly seconds: number;
  /** Names and versions of the services that the nodes used. */
  readonly services: readonly string[];
}

/** Runs the plan, and reports progress to `report`. Throws only if the run is impossible, for example if the rig does not start. */
export async function run(plan: Plan, report: (what: string) => void = () => {}): Promise<Run> {
  const began = performance.now();
  using journal = new Journal(plan.journal);
  const { record } = journal;
  const onCrash = (node: number, how: string) => record({ type: 'crash', at: now(), node, how });
  const faults = plan.faults.toSorted((one, other) => Number(startsFirst(other)) - Number(startsFirst(one)));
  using previous = faults.some(startsFirst) ? await checkOutPrevious() : undefined;
  await using rig = await Rig.start({ ...plan.rig, previousMain: previous?.main, random: randomFrom(plan.seed), onCrash });
  const services = await versionsOf(rig);
  await using crowd = await Crowd.start({ ...plan, urls: rig.nodes.map(({ url }) => url), record, random: randomFrom(plan.seed) });
  // A fault may lose what is written after this checkpoint. It must not lose the rooms and accounts of the run.
  await rig.query('checkpoint');

  const effects = new Map<string, Effect[]>();
  // Each fault has a random sequence of its own: how much one draws may depend on timing.
  const inject = async (fault: Fault, index: number) => {
    const { name, maxDelayMs } = fault;
    await sleep(pauseBeforeFaultMs);
    record({ type: 'fault', at: now(), fault: name, ...(maxDelayMs === undefined ? {} : { maxDelayMs }) });
    const effect = await fault.inject({ rig, crowd, random: randomFrom(plan.seed + index) });
    record({ type: 'healed', at: now(), fault: name });
    effects.set(name, [...(effects.get(name) ?? []), effect]);
    await crowd.caughtUp(plan.recoveryMs);
    record({ type: 'recovered', at: now(), fault: name });
    report(`${name}: ${effect.count} ${effect.figure}`);
  };
  const all = async () => {
    await sleep(plan.settleMs ?? 0);
    for (const [index, fault] of faults.entries()) await inject(fault, index);
    crowd.rate = 2 * plan.rate;
    await untilSent(crowd, plan.messages, plan.recoveryMs);
    await crowd.stopWriting();
    await crowd.caughtUp(plan.recoveryMs);
  };
  const abortReason = await all().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (abortReason !== undefined) await crowd.stopWriting().catch(() => {});
  const extraNode = await rig.startExtraNode();
  const judgement = check(journal.lines, await crowd.finalState(extraNode.url), bounds);
  return { judgement, effects, answers: crowd.outbox, abortReason, seconds: (performance.now() - began) / 1000, services };
}

/** Codes with which a node refused a permitted request, except UNAVAILABLE. Each of them is a fault of the server. */
export const wrongRefusals = ({ answers }: Run): string[] => [...answers.refusals.keys()].filter((code) => code !== 'UNAVAILABLE');

/** Whether nothing was found, no permitted request was refused, and every fault had an effect. */
export const holds = (run: Run): boolean =>
  run.judgement.clean &&
  run.abortReason === undefined &&
  wrongRefusals(run).length === 0 &&
  [...run.effects.values()].flat().every(({ count }) => count > 0);

/** Resolves when `count` messages are acknowledged. Rejects if none was acknowledged for `stallMs`. */
async function untilSent(crowd: Crowd, count: number, stallMs: number): Promise<void> {
  for (let sent = crowd.sent, at = now(); crowd.sent < count; await sleep(100)) {
    if (crowd.sent > sent) [sent, at] = [crowd.sent, now()];
    else if (now() - at > stallMs) throw new Error(`No message was acknowledged for ${stallMs} ms.`);
  }
}

const startsFirst = ({ startsOnPreviousVersion = false }: Fault) => startsOnPreviousVersion;

async function versionsOf(rig: Rig): Promise<string[]> {
  const [{ server_version: postgres }] = (await rig.query('show server_version')) as [{ server_version: string }];
  using connected = await rig.connectRedis();
  const [, redis] = /redis_version:(\S+)/.exec(await connected.redis.info('server')) ?? [];
  return [`PostgreSQL ${postgres}`, `Redis ${redis}`];
}
