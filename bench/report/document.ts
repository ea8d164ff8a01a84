// Writes docs/benchmark.md with its charts, and all samples as CSV.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Contender } from '../contender.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { type Bar, chart } from './chart.ts';
import type { Results } from './results.ts';
import { missedMessage, notesOn, round, scenarioTable, subjectsOf, targetTable, titleOf } from './tables.ts';
import type { Verdict } from './targets.ts';

export interface Report {
  readonly command: string;
  readonly rounds: number;
  readonly minutes: number;
  /** Names and versions of PostgreSQL and Redis. */
  readonly services: readonly string[];
  readonly contenders: readonly Contender[];
  readonly scenarios: readonly Scenario[];
  readonly results: Results;
  readonly verdicts: readonly Verdict[];
}

const docs = new URL('../../docs/', import.meta.url);
const folder = new URL('benchmark/', docs);
/** Written by hand and included in the page: why Gapless falls short, from profiles. */
const findings = new URL('findings.md', folder);

export function writeReport(report: Report): void {
  mkdirSync(folder, { recursive: true });
  const sections = report.scenarios.map((scenario) => sectionOf(scenario, report.results));
  writeFileSync(new URL('benchmark.md', docs), pageOf(report, sections));
  writeFileSync(new URL('samples.csv', folder), samplesOf(report.results));
}

function pageOf(report: Report, sections: readonly string[]): string {
  const { verdicts, results } = report;
  const missed = verdicts.filter(({ holds }) => !holds);
  const outcome = missed.length === 0 ? 'All targets are reached.' : `${missed.length} of ${verdicts.length} targets are missed.`;
  return [
    `# The benchmark

The cost of Gapless compared with other ways to build a chat server, measured in one run on one machine. \`npm run bench\`
writes this page. Ratios can be compared between machines. Absolute figures cannot.

**${outcome}**

${machineOf(report)}`,
    `## Targets

${targetTable(verdicts)}

${[...missed.map(missedMessage), ...results.failures.map((failure) => `Not measured: ${failure}`)].map((line) => `- ${line}\n`).join('')}`.trim(),
    existsSync(findings) ? readFileSync(findings, 'utf8').trim() : '',
    `## How it is measured

The server has one core to itself. The load, PostgreSQL and Redis share another one. Every contender writes a message to
PostgreSQL and then publishes it to Redis, from which its subscribers get it, as its documentation shows. All GraphQL
contenders have the same selection. Gapless keeps its whole promise: every message has a \`clientMessageId\`, is sent by a
member, and is in the room’s log before it is acknowledged. The others have no accounts, no order and no log to resume from,
and cannot tell a retry from a new message.

All contenders are measured in turn, each with a new process and a new database, in up to ${report.rounds} rounds with a different order in each.
The figures are medians over the rounds. [All samples](benchmark/samples.csv) are available. CPU time is what the kernel
counts for the server’s process. Memory is measured after a garbage collection. The load reads the headers of frames and
counts them.`,
    ...sections,
    notesOn(sections.join()).join('\n\n'),
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

function sectionOf(scenario: Scenario, results: Results): string {
  const charts = scenario.figures.flatMap(({ id, title, unit, chart: better }) => {
    if (better === undefined) return [];
    const bars = subjectsOf([id], results).map((of): Bar => {
      const value = results.median(id, of) as number;
      return { title: titleOf(of), value, label: `${round(value)} ${unit}`, own: of === 'gapless' };
    });
    const file = `${id.replaceAll('.', '-')}.svg`;
    if (bars.length === 0) {
      rmSync(new URL(file, folder), { force: true });
      return [];
    }
    writeFileSync(new URL(file, folder), chart(`${scenario.title}: ${title} (${better})`, bars));
    return [`![${title}](benchmark/${file})`];
  });
  return [`## ${scenario.number}. ${scenario.title}`, scenario.text, scenarioTable(scenario, results), ...charts].join('\n\n');
}

function machineOf({ command, minutes, services, contenders }: Report): string {
  const { version } = readJson(new URL('../../package.json', import.meta.url));
  const { dependencies } = readJson(new URL('../package.json', import.meta.url));
  const [cpu] = cpus();
  const versions = contenders.map(({ title, packages }) =>
    packages.length === 0 ? `${title} ${version}` : `${title}: ${packages.map((name) => `${name} ${dependencies[name]}`).join(', ')}`,
  );
  return [
    `${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    [`Node ${process.versions.node}`, ...services].join(', '),
    ...versions,
    `${new Date().toISOString().slice(0, 10)}, \`${command}\`, ${minutes} minutes`,
  ]
    .map((line) => `- ${line}`)
    .join('\n');
}

const samplesOf = ({ samples }: Results) =>
  `figure,of,round,value\n${samples.map(({ figure, of, round: number, value }) => `${figure},"${of}",${number},${value}\n`).join('')}`;

const readJson = (file: URL) => JSON.parse(readFileSync(file, 'utf8'));
