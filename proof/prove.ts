// `npm run prove`: injects faults into a cluster while writers and watchers run, and checks what each watcher received.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { randomFrom, shuffle } from '../tests/support/random.ts';
import { argumentsFor, controls } from './controls/controls.ts';
import { everyFault, optionalFaults, requiredFaults, shortFaults } from './faults/catalogue.ts';
import type { Fault } from './faults/fault.ts';
import { type ControlRun, caught, controlTable, document, faultTable, findingsOf, summaryOf, verdictTable } from './report.ts';
import { holds, type Plan, type Run, run } from './run.ts';

const usage = `npm run prove                 every kind of fault three times, 100,000 messages, and the controls; writes docs/proof.md
npm run prove -- --quick      short faults, 10,000 messages; under 7 minutes
npm run prove -- --controls   variants that are broken on purpose, which must fail; under 5 minutes
  --seed <number>             repeats the choices of an earlier run
  --fault <name>              this fault only; may be given several times
  --rate <number>             messages a second while faults are injected
  --messages <number>         how many are acknowledged at least, in place of 10,000 or 100,000
  --times <number>            how often each fault is injected in the full run, in place of three times
  --control <name>            this control only
  --journal <file>            where to write the history of the run, as lines of JSON`;

const crowd = { rooms: 10, watchersPerRoom: 12, writers: 6, recoveryMs: 60_000 };
/** `messages` is the number for each round of all faults. */
const full = { ...crowd, messages: 34_000, rate: 60 };
const quick = { ...crowd, messages: 10_000, rate: 50 };
/** Enough to reveal a broken variant. */
const control = { ...crowd, rooms: 4, messages: 500, rate: 40, recoveryMs: 15_000 };
/** Number of kinds of fault that a quick proof has in addition to the required ones. */
const optionalKinds = 8;

const { values } = parse();
const seed = numberOf('seed') ?? Math.floor(Math.random() * 2 ** 31);
const rate = numberOf('rate');
const messages = numberOf('messages');
const times = numberOf('times') ?? 3;
if (values.help) {
  console.log(usage);
  process.exit(0);
}
console.log(`seed ${seed}`);

if (values.controls || values.control) {
  const runs = await runControls();
  process.exitCode = runs.every(caught) ? 0 : 1;
} else if (values.quick || values.fault) {
  const faults = values.fault?.map(faultNamed) ?? quickFaults();
  process.exitCode = holds(await prove({ ...quick, faults })) ? 0 : 1;
} else {
  const faults = shuffle(Array.from({ length: times }, () => everyFault()).flat(), randomFrom(seed));
  const done = await prove({ ...full, messages: full.messages * times, faults });
  const runs = await runControls();
  writeFileSync(new URL('../docs/proof.md', import.meta.url), document(done, runs, `--seed ${seed} --times ${times}`));
  process.exitCode = holds(done) && runs.every(caught) ? 0 : 1;
}

async function prove(plan: Omit<Plan, 'seed' | 'journal'>): Promise<Run> {
  const done = await run(
    { ...plan, rate: rate ?? plan.rate, messages: messages ?? plan.messages, seed, journal: values.journal },
    console.log,
  );
  console.log([faultTable(done), verdictTable(done), summaryOf(done), ...findingsOf(done)].join('\n\n'));
  return done;
}

async function runControls(): Promise<ControlRun[]> {
  const chosen = values.control === undefined ? controls : [named(controls, values.control)];
  const runs: ControlRun[] = [];
  for (const each of chosen) {
    const rig = { nodeArgs: argumentsFor(each), postgresSettings: each.postgresSettings ?? {}, pooled: each.pooled ?? false };
    const plan = {
      ...control,
      seed,
      faults: each.revealedBy.slice(0, 1).map(faultNamed),
      settleMs: each.settleMs,
      rig,
      journal: values.journal,
    };
    runs.push({ control: each, run: await run(plan) });
    console.log(controlTable(runs.slice(-1)));
  }
  return runs;
}

function quickFaults(): Fault[] {
  const random = randomFrom(seed);
  return shuffle([...requiredFaults(), ...shuffle(optionalFaults(), random).slice(0, optionalKinds)], random);
}

/** The short fault with these words in its name. */
function faultNamed(words: string): Fault {
  const faults = shortFaults();
  return faults.find(({ name }) => name.includes(words)) ?? named(faults, words);
}

function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  return all.find((each) => each.name === name) ?? fail(`There is no ${name}. There are:\n  ${all.map((each) => each.name).join('\n  ')}`);
}

function numberOf(option: 'seed' | 'rate' | 'times' | 'messages'): number | undefined {
  const text = values[option];
  if (text === undefined || /^[1-9]\d{0,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  return fail(`--${option} ${text} is not a whole number of at least 1.`);
}

function parse() {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const options = {
    help: flag,
    quick: flag,
    controls: flag,
    seed: text,
    journal: text,
    rate: text,
    times: text,
    messages: text,
    fault: { ...text, multiple: true },
    control: text,
  } as const;
  try {
    return parseArgs({ options });
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${usage}`);
  }
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
