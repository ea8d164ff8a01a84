// The results of a run, as tables for the terminal and for docs/proof.md.

import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { verdictNames, verdicts } from './check/verdicts.ts';
import type { Control } from './controls/controls.ts';
import { bounds, holds, type Run, wrongRefusals } from './run.ts';

type Row = readonly (string | number)[];

/** One line per fault: how often, its effect, the time to recover, and what was found during it. */
export function faultTable({ effects, judgement }: Run): string {
  const rows = [...effects].map(([name, each]): Row => {
    const totals = judgement.totals.faults[name];
    const figures = each.map(({ figure, count }) => (count > 0 ? `${count} ${figure}` : `**none:** ${figure}`));
    const findings = totals?.findings ?? 0;
    return [
      name,
      each.length,
      figures.join('; '),
      seconds(totals?.worstRecoveryMs),
      seconds(totals?.worstDelayMs),
      findings === 0 ? 'sound' : `${findings} findings`,
    ];
  });
  return table(['fault', 'times', 'effect', 'worst recovery', 'worst delay', 'verdict'], rows);
}

/** One line per verdict: the number of cases, and its meaning. */
export function verdictTable({ judgement }: Run): string {
  const rows = verdictNames.map((name): Row => [name, judgement.findings[name].count, verdicts[name]]);
  return table(['verdict', 'found', 'an entry, a message or a node that was'], rows);
}

/** The first cases of every verdict, and why the run ended early. */
export function findingsOf(run: Run): string[] {
  const { judgement, abortReason, effects } = run;
  const cases = verdictNames.flatMap((name) => judgement.findings[name].examples.map((example) => `${name}: ${example}`));
  const idle = [...effects].flatMap(([name, each]) => (each.some(({ count }) => count === 0) ? [`${name} had no effect.`] : []));
  const refused = wrongRefusals(run).map((code) => `A permitted request was refused with ${code}.`);
  return [...(abortReason === undefined ? [] : [`ended early: ${abortReason}`]), ...refused, ...idle, ...cases];
}

export function summaryOf({ judgement, answers, seconds: lasted }: Run): string {
  const { acknowledged, attempts, deliveries, watchers, worstDelayMs } = judgement.totals;
  const summary = `${count(acknowledged)} messages acknowledged in ${count(attempts)} attempts, ${count(deliveries)} deliveries to ${count(watchers)} watchers checked`;
  const refused = answers.refusals.get('UNAVAILABLE') ?? 0;
  const slow = `${answers.slowAttempts.length} not answered in 5.5 s by a node that could be reached`;
  return `${summary}, in ${Math.round(lasted)} s; worst delay ${seconds(worstDelayMs)}. ${count(refused)} attempts were UNAVAILABLE, ${slow}.`;
}

export interface ControlRun {
  readonly control: Control;
  readonly run: Run;
}

/** Whether the checker found in a broken variant what it had to find, and none of it in a sound one. */
export const caught = ({ control, run }: ControlRun): boolean =>
  control.verdicts.every((verdict) => run.judgement.findings[verdict].count > 0 !== (control.sound === true));

export function controlTable(runs: readonly ControlRun[]): string {
  const rows = runs.map((each): Row => {
    const found = verdictNames.flatMap((name) => {
      const { count: cases } = each.run.judgement.findings[name];
      return cases > 0 ? [`${cases} ${name}`] : [];
    });
    return [each.control.name, each.control.breaks, found.join(', ') || 'nothing', resultOf(each)];
  });
  return table(['control', 'what is broken', 'found', ''], rows);
}

function resultOf(each: ControlRun): string {
  if (each.control.sound) return caught(each) ? 'sound' : '**not sound**';
  return caught(each) ? 'caught' : '**passed**';
}

/** The text of docs/proof.md: what was run, on what, and the results. */
export function document(run: Run, controls: readonly ControlRun[], options: string): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const [cpu] = cpus();
  const findings = findingsOf(run);
  return `# The proof

Three nodes, one PostgreSQL and one Redis, with writers and watchers, while each fault of a list is injected. What was
acknowledged is compared with what every watcher received. \`npm run prove\` writes this page.

**${holds(run) ? 'Nothing was lost.' : 'The proof failed.'}** ${summaryOf(run)}

- Gapless ${version}, Node ${process.versions.node}, ${run.services.join(', ')}
- ${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}
- ${new Date().toISOString().slice(0, 10)}, \`npm run prove -- ${options}\`

## What was found

${verdictTable(run)}
${findings.length === 0 ? '' : `\n${findings.map((finding) => `- ${finding}`).join('\n')}\n`}
## The faults

Each fault is injected into a cluster under load, and the next one only when every watcher has received everything.
*Effect* is what the nodes, the services or the links counted during the fault: a fault without effect proves nothing.
*Worst recovery* is from the end of the fault until every watcher had received everything that was acknowledged. *Worst
delay* is from the acknowledgement of a message to its delivery, including the time of the fault. Without a fault a message
may take ${seconds(bounds.delayMs)}, and a fault may have effects for ${seconds(bounds.healedMs)} after its end; a later delivery counts as late.

${faultTable(run)}

## What the proof would find

The same checker, on runs of variants that are broken on purpose (\`proof/controls\`). The checker must find
the fault of each of them, and nothing in the unmodified server.

${controlTable(controls)}
`;
}

const count = (n: number) => n.toLocaleString('en');
const seconds = (ms: number | undefined) => (ms === undefined ? '' : `${(ms / 1000).toFixed(1)} s`);

/** A Markdown table with aligned columns. */
function table(heads: Row, rows: readonly Row[]): string {
  const cells = [heads, ...rows].map((row) => row.map(String));
  const widths = heads.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  const [head, ...body] = cells as [string[], ...string[][]];
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
