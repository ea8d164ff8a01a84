// One run: a cluster and a crowd, and faults one after the other. At the end, the history is checked against the final state.

import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '../tests/support/random.ts';
import { check, type Judgement } from './checker.ts';
import { Crowd } from './clients/crowd.ts';
import type { Outbox } from './clients/outbox.ts';
import type { Bite, Fault } from './faults/fault.ts';
import { Journal, now } from './journal.ts';
import { checkOutPrevious } from './rig/previous.ts';
import { Rig, type RigOptions } from './rig/rig.ts';

/** `delayMs`: from acknowledgement to delivery without a fault; the head check finds a lost entry within 5 s. `healedMs`: how long a fault may have effects after it is healed. */
export const bounds = { delayMs: 6000, healedMs: 15_000 };
/** Before each fault, so that it strikes a cluster that works. */
const breathMs = 2000;

export interface Plan {
  readonly seed: number;
  /** In the order in which they strike. */
  readonly faults: readonly Fault[];
  /** Minimum number of acknowledged messages. */
  readonly messages: number;
  /** Messages a second while faults strike. */
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
  /** By fault, one for each time that it struck. */
  readonly bites: ReadonlyMap<string, readonly Bite[]>;
  /** What the nodes answered to writers, other than success. */
  readonly answers: Pick<Outbox, 'refusals' | 'slowAttempts' | 'worstAnswerMs'>;
  /** Why the run ended early. The judgement then covers what happened until then. */
  readonly brokenOff: string | undefined;
  readonly seconds: number;
  /** Names and versions of the services that the nodes used. */
  readonly services: readonly string[];
}

/** Runs the plan, and reports progress to `tell`. Throws only if the run itself is impossible, such as a rig that does not start. */
export async function run(plan: Plan, tell: (what: string) => void = () => {}): Promise<Run> {
  const began = performance.now();
  using journal = new Journal(plan.journal);
  const { record } = journal;
  const onCrash = (node: number, how: string) => record({ type: 'crash', at: now(), node, how });
  const faults = plan.faults.toSorted((one, other) => Number(startsFirst(other)) - Number(startsFirst(one)));
  using previous = faults.some(startsFirst) ? await checkOutPrevious() : undefined;
  await using rig = await Rig.start({ ...plan.rig, previousMain: previous?.main, random: randomFrom(plan.seed), onCrash });
  const services = await versionsOf(rig);
  await using crowd = await Crowd.start({ ...plan, urls: rig.nodes.map(({ url }) => url), record, random: randomFrom(plan.seed) });
  // A fault may lose what was written from here on, and not the rooms and accounts of the run.
  await rig.ask('checkpoint');

  const bites = new Map<string, Bite[]>();
  // Each fault has a random sequence of its own: how much one draws may depend on timing.
  const strike = async (fault: Fault, index: number) => {
    const { name, maxDelayMs } = fault;
    await sleep(breathMs);
    record({ type: 'fault', at: now(), fault: name, ...(maxDelayMs === undefined ? {} : { maxDelayMs }) });
    const bite = await fault.strike({ rig, crowd, random: randomFrom(plan.seed + index) });
    record({ type: 'healed', at: now(), fault: name });
    bites.set(name, [...(bites.get(name) ?? []), bite]);
    await crowd.caughtUp(plan.recoveryMs);
    record({ type: 'recovered', at: now(), fault: name });
    tell(`${name}: ${bite.count} ${bite.figure}`);
  };
  const all = async () => {
    await sleep(plan.settleMs ?? 0);
    for (const [index, fault] of faults.entries()) await strike(fault, index);
    crowd.rate = 2 * plan.rate;
    await untilSent(crowd, plan.messages, plan.recoveryMs);
    await crowd.stopWriting();
    await crowd.caughtUp(plan.recoveryMs);
  };
  const brokenOff = await all().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (brokenOff !== undefined) await crowd.stopWriting().catch(() => {});
  const witness = await rig.startWitness();
  const judgement = check(journal.lines, await crowd.finalState(witness.url), bounds);
  return { judgement, bites, answers: crowd.outbox, brokenOff, seconds: (performance.now() - began) / 1000, services };
}

/** Codes with which a node refused a permitted request, except UNAVAILABLE. Each of them is a fault of the server. */
export const wrongRefusals = ({ answers }: Run): string[] => [...answers.refusals.keys()].filter((code) => code !== 'UNAVAILABLE');

/** Whether nothing was found, no permitted request was refused, and every fault had an effect. */
export const holds = (run: Run): boolean =>
  run.judgement.clean &&
  run.brokenOff === undefined &&
  wrongRefusals(run).length === 0 &&
  [...run.bites.values()].flat().every(({ count }) => count > 0);

/** Resolves when `count` messages are acknowledged. Rejects if none was acknowledged for `stallMs`. */
async function untilSent(crowd: Crowd, count: number, stallMs: number): Promise<void> {
  for (let sent = crowd.sent, at = now(); crowd.sent < count; await sleep(100)) {
    if (crowd.sent > sent) [sent, at] = [crowd.sent, now()];
    else if (now() - at > stallMs) throw new Error(`No message was acknowledged for ${stallMs} ms.`);
  }
}

const startsFirst = ({ startsOnPreviousVersion = false }: Fault) => startsOnPreviousVersion;

async function versionsOf(rig: Rig): Promise<string[]> {
  const [{ server_version: postgres }] = (await rig.ask('show server_version')) as [{ server_version: string }];
  using connected = await rig.connectRedis();
  const [, redis] = /redis_version:(\S+)/.exec(await connected.redis.info('server')) ?? [];
  return [`PostgreSQL ${postgres}`, `Redis ${redis}`];
}
