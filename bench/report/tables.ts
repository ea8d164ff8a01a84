// What came of a run, as tables that read the same in a terminal and in docs/benchmark.md.

import { oneTransactionASend } from '../contenders/gapless.ts';
import { contenders } from '../contenders.ts';
import type { Doubts } from '../rig/rig.ts';
import type { Figure, Scenario } from '../scenarios/scenario.ts';
import type { Must, Verdict } from './musts.ts';
import type { Results } from './results.ts';

type Row = readonly string[];

/** Of whom Gapless is compared to, beside what it is in itself. */
const comparedWith = ['yoga', 'ws'];
/** What stands behind a figure that is in doubt, and what it means. */
const marks: Readonly<Record<keyof Doubts, [mark: string, note: string]>> = {
  loadBound: ['†', 'The load’s core was full, with the load, PostgreSQL and Redis on it: the server could have done more.'],
  disturbed: ['‡', 'Something else took more than a tenth of the two cores meanwhile.'],
};
const doubts = Object.keys(marks) as (keyof Doubts)[];

/** What the marks in a table mean, of those that are there. */
export const notesOn = (tables: string): string[] =>
  Object.values(marks).flatMap(([mark, note]) => (tables.includes(mark) ? [`${mark} ${note}`] : []));

/** One line for each that was measured, with every figure, and the ratios of Gapless to others. */
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

/** One line for each must: what it asks, and what was reached. */
export function mustTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ must, reached, holds }): Row => {
    const { title, bound, aim, unit = '' } = must;
    return [
      title,
      `${bound} ${withUnit(must.must, unit)}`,
      withUnit(aim, unit),
      sayReached(reached, must),
      holds ? 'reached' : '**missed**',
    ];
  });
  return table(['figure', 'must', 'aim', 'measured', ''], rows);
}

/** A sentence for a must that is missed. */
export const sayMissed = ({ must, reached }: Verdict): string =>
  `Missed: ${must.title} must be ${must.bound} ${withUnit(must.must, must.unit ?? '')}, and is ${sayReached(reached, must)}.`;

const withUnit = (value: number, unit: string) => (unit === '' ? String(value) : `${value} ${unit}`);
const sayReached = (reached: number | undefined, { unit = '' }: Must) =>
  reached === undefined ? 'not measured' : unit === '' ? round(reached) : `${round(reached)} ${unit}`;

/** What tables call a contender, or what else is compared. */
export const titleOf = (of: string): string => [...contenders, oneTransactionASend].find(({ name }) => name === of)?.title ?? of;

/** Of what there are such figures, in the order in which contenders stand everywhere, whatever order they were measured in. */
export function subjectsOf(figures: readonly string[], results: Results): string[] {
  const order = contenders.flatMap(({ name }) => (name === 'gapless' ? [name, oneTransactionASend.name] : [name]));
  const subjects = new Set(results.samples.filter(({ figure }) => figures.includes(figure)).map(({ of }) => of));
  return [...subjects].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

function cell({ id }: Figure, of: string, results: Results): string {
  const value = results.median(id, of);
  if (value === undefined) return '';
  return round(value) + doubts.map((doubt) => (results.doubted(doubt, id, of) ? marks[doubt][0] : '')).join('');
}

const ratio = (value: number | undefined, by: number | undefined) => (value === undefined || by === undefined ? '' : round(value / by));

/** Three digits that count, but no more than two behind the point. */
export function round(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en', { minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: Math.min(digits, 2) });
}

/** A Markdown table, with its columns in line. */
export function table(heads: Row, rows: readonly Row[]): string {
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => (row[column] as string).length)));
  const line = (row: Row) => `| ${row.map((text, column) => text.padEnd(widths[column] as number)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
