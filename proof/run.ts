// One run: a cluster and a crowd, faults one after the other, and at the end everything that was said held against what is there.

import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '../tests/support/random.ts';
import { check, type Judgement } from './checker.ts';
import { Crowd } from './clients/crowd.ts';
import type { Outbox } from './clients/outbox.ts';
import type { Bite, Fault } from './faults/fault.ts';
import { Journal, now } from './journal.ts';
import { checkOutPrevious } from './rig/previous.ts';
import { Rig, type RigOptions } from './rig/rig.ts';

/** From acknowledgement to receipt while all is well, where the head check finds what was lost within 5 s; and how long a fault may be felt once it is healed. */
export const bounds = { delayMs: 6000, healedMs: 15_000 };
/** Before each fault, for it to strike a cluster that is well and at work. */
const breathMs = 2000;

export interface Plan {
  readonly seed: number;
  /** In the order in which they strike. */
  readonly faults: readonly Fault[];
  /** Messages to be acknowledged at least. */
  readonly messages: number;
  /** Messages a second while faults strike. */
  readonly rate: number;
  readonly rooms: number;
  readonly watchersPerRoom: number;
  readonly writers: number;
  /** By then, after a fault, a watcher has seen everything, or has lost something for good. */
  readonly recoveryMs: number;
  /** Given to the rig: a control's way in, settings of PostgreSQL. */
  readonly rig?: Pick<RigOptions, 'nodeArgs' | 'env' | 'postgresSettings' | 'pooled'>;
  /** Where to write the history, line by line. */
  readonly journal?: string | undefined;
}

export interface Run {
  readonly judgement: Judgement;
  /** By fault, once for each time that it struck. */
  readonly bites: ReadonlyMap<string, readonly Bite[]>;
  /** What the nodes answered those who write, beside what went through. */
  readonly answers: Pick<Outbox, 'refusals' | 'slowAttempts' | 'worstAnswerMs'>;
  /** What kept the run from its end. Then the judgement is of what came until then. */
  readonly brokenOff: string | undefined;
  readonly seconds: number;
  /** Names and versions of what the nodes stood on. */
  readonly services: readonly string[];
}

/** Runs the plan. `tell` is told how it goes. Throws only where the run itself cannot be: a rig that does not start. */
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

  const bites = new Map<string, Bite[]>();
  // Each with a chance of its own: how often one is drawn on may depend on how fast things go.
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

/** Codes with which a node refused somebody who may do what they ask: with any but UNAVAILABLE, it was wrong. */
export const wrongRefusals = ({ answers }: Run): string[] => [...answers.refusals.keys()].filter((code) => code !== 'UNAVAILABLE');

/** Whether everything held, nobody was refused for a wrong reason, and every fault was felt. */
export const holds = (run: Run): boolean =>
  run.judgement.clean &&
  run.brokenOff === undefined &&
  wrongRefusals(run).length === 0 &&
  [...run.bites.values()].flat().every(({ count }) => count > 0);

/** Resolves when so many messages are acknowledged. Rejects when none was for `stallMs`. */
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
