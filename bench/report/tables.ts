// The results of a run as Markdown tables, for the terminal and docs/benchmark.md.

import { oneTransactionPerSend } from '../contenders/gapless.ts';
import { contenders } from '../contenders.ts';
import type { Doubts } from '../rig/rig.ts';
import type { Figure, Scenario } from '../scenarios/scenario.ts';
import type { Results } from './results.ts';
import type { Target, Verdict } from './targets.ts';

type Row = readonly string[];

/** Contenders for which a table shows the ratio to Gapless. */
const comparedWith = ['yoga', 'ws'];
/** The mark after a doubtful figure, and its meaning. */
const marks: Readonly<Record<keyof Doubts, [mark: string, note: string]>> = {
  loadBound: ['†', 'The load’s core, with the load, PostgreSQL and Redis, was fully used. The server could have done more.'],
  disturbed: ['‡', 'Other programs used more than a tenth of the two cores during the measurement.'],
};
const doubts = Object.keys(marks) as (keyof Doubts)[];

/** The meaning of the marks that occur in the tables. */
export const notesOn = (tables: string): string[] =>
  Object.values(marks).flatMap(([mark, note]) => (tables.includes(mark) ? [`${mark} ${note}`] : []));

/** One row for each contender with all figures, and rows with ratios of Gapless to others. */
export function scenarioTable({ figures }: Scenario, results: Results): string {
  const subjects = subjectsOf(
    figures.map(({ id }) => id),
    results,
  );
  const rows = subjects.map((of): Row => [titleOf(of), ...figures.map((figure) => cell(figure, of, results))]);
  const others = subjects.includes('gapless') ? comparedWith.filter((of) => subjects.includes(of)) : [];
  const ratios = others.map(
    (by): Row => [`Gapless : ${titleOf(by)}`, ...figures.map(({ id }) => ratio(results.median(id, 'gapless'), results.median(id, by)))],
  );
  return table(['', ...figures.map(({ title, unit }) => (unit === '' ? title : `${title}, ${unit}`))], [...rows, ...ratios]);
}

/** One row for each target: what is required, and what was reached. */
export function targetTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, reached, holds }): Row => {
    const { title, bound, goal, unit = '' } = target;
    return [
      title,
      `${bound} ${withUnit(target.required, unit)}`,
      withUnit(goal, unit),
      formatReached(reached, target),
      holds ? 'reached' : '**missed**',
    ];
  });
  return table(['figure', 'required', 'goal', 'measured', ''], rows);
}

/** The message for a missed target. */
export const missedMessage = ({ target, reached }: Verdict): string =>
  `Missed: ${target.title} should be ${target.bound} ${withUnit(target.required, target.unit ?? '')}, but is ${formatReached(reached, target)}.`;

const withUnit = (value: number, unit: string) => (unit === '' ? String(value) : `${value} ${unit}`);
const formatReached = (reached: number | undefined, { unit = '' }: Target) =>
  reached === undefined ? 'not measured' : unit === '' ? round(reached) : `${round(reached)} ${unit}`;

/** The name of a contender, or of something else that is compared, in tables. */
export const titleOf = (of: string): string => [...contenders, oneTransactionPerSend].find(({ name }) => name === of)?.title ?? of;

/** The contenders that have such figures, in their usual order. */
export function subjectsOf(figures: readonly string[], results: Results): string[] {
  const order = contenders.flatMap(({ name }) => (name === 'gapless' ? [name, oneTransactionPerSend.name] : [name]));
  const subjects = new Set(results.samples.filter(({ figure }) => figures.includes(figure)).map(({ of }) => of));
  return [...subjects].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

function cell({ id }: Figure, of: string, results: Results): string {
  const value = results.median(id, of);
  if (value === undefined) return '';
  return round(value) + doubts.map((doubt) => (results.doubted(doubt, id, of) ? marks[doubt][0] : '')).join('');
}

const ratio = (value: number | undefined, by: number | undefined) => (value === undefined || by === undefined ? '' : round(value / by));

/** Three significant digits, with at most two after the decimal point. */
export function round(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en', { minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: Math.min(digits, 2) });
}

/** A Markdown table with aligned columns. */
export function table(heads: Row, rows: readonly Row[]): string {
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => (row[column] as string).length)));
  const line = (row: Row) => `| ${row.map((text, column) => text.padEnd(widths[column] as number)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
