// `npm run bench`: measures Gapless and other servers on this machine, and compares the results with the targets.

import { parseArgs } from 'node:util';
import { contenders } from './contenders.ts';
import { installPackages } from './install.ts';
import { requireConnections } from './load/limits.ts';
import { writeReport } from './report/document.ts';
import { missedMessage, notesOn, scenarioTable, targetTable } from './report/tables.ts';
import { judge } from './report/targets.ts';
import { Rig } from './rig/rig.ts';
import { run } from './run.ts';
import { scenarios } from './scenarios/all.ts';
import type { Pace } from './scenarios/scenario.ts';

const usage = `npm run bench                   all scenarios and contenders, 3 rounds, about 25 minutes; writes docs/benchmark.md
npm run bench -- --quick        scenarios 1, 2 and 4 with Gapless, Yoga and ws, 1 round, under 3 minutes
  --scenario <numbers>          only these scenarios, for example 1,2
  --contender <names>           only these contenders, for example gapless,ws
  --rounds <number>             number of rounds

${scenarios.map(({ number, title }) => `  ${number}  ${title}`).join('\n')}

  contenders: ${contenders.map(({ name }) => name).join(', ')}`;

const full: Pace = { rounds: 3, warmUpMs: 2000, pacedMs: 10_000, windowMs: 5000, sendsMs: 2500 };
const quick: Pace = { rounds: 1, warmUpMs: 1500, pacedMs: 6000, windowMs: 4000, sendsMs: 2500 };
const ofQuick = { scenario: '1,2,4', contender: 'gapless,yoga,ws' };

const { values } = parse();
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const pace = { ...(values.quick ? quick : full), ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }) };
const plan = {
  scenarios: chosen(scenarios, values.scenario ?? (values.quick ? ofQuick.scenario : undefined), ({ number }) => String(number)),
  contenders: chosen(contenders, values.contender ?? (values.quick ? ofQuick.contender : undefined), ({ name }) => name),
  pace,
};

const startMs = performance.now();
requireConnections(Math.max(...plan.scenarios.map(({ connections }) => connections)));
await installPackages(plan.contenders);
await using rig = await Rig.start();
const results = await run(rig, plan, console.log);
const figures = new Set(plan.scenarios.flatMap((scenario) => scenario.figures.map(({ id }) => id)));
const excluded = new Set(contenders.filter((each) => !plan.contenders.includes(each)).map(({ name }) => name));
const verdicts = judge(results, figures, excluded);

const tables = plan.scenarios
  .map((scenario) => `${scenario.number}. ${scenario.title}\n\n${scenarioTable(scenario, results)}`)
  .join('\n\n');
const minutes = Math.round((performance.now() - startMs) / 60_000);
console.log(`\n${[tables, ...notesOn(tables), targetTable(verdicts), `${minutes} minutes`].join('\n\n')}`);
if (!values.quick && values.scenario === undefined && values.contender === undefined) {
  const options = values.rounds === undefined ? '' : ` -- --rounds ${values.rounds}`;
  writeReport({
    ...plan,
    command: `npm run bench${options}`,
    rounds: pace.rounds,
    minutes,
    services: await rig.services.versions(),
    results,
    verdicts,
  });
}
for (const missed of verdicts.filter(({ holds }) => !holds)) console.error(missedMessage(missed));
process.exitCode = verdicts.every(({ holds }) => holds) && results.failures.length === 0 ? 0 : 1;

/** The items that a list names, or all without a list. */
function chosen<T>(all: readonly T[], list: string | undefined, nameOf: (each: T) => string): T[] {
  if (list === undefined) return [...all];
  return list.split(',').map((name) => {
    const found = all.find((each) => nameOf(each) === name);
    return found ?? fail(`Unknown name: ${name}. Known names: ${all.map(nameOf).join(', ')}.`);
  });
}

function parse() {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  try {
    const parsed = parseArgs({ options: { help: flag, quick: flag, scenario: text, contender: text, rounds: text } });
    const { rounds } = parsed.values;
    if (rounds !== undefined && !/^[1-9]\d?$/.test(rounds)) return fail(`--rounds ${rounds} is not a whole number from 1 to 99.`);
    return parsed;
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${usage}`);
  }
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
