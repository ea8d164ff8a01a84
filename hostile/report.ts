// The table of the results, one line for each attack.

import type { Outcome } from './attack.ts';
import type { Figures, Kind } from './ordinary.ts';
import { maxRatio, type Result } from './run.ts';

const ms = (value: number) => (Number.isNaN(value) ? '-' : value < 10 ? value.toFixed(1) : String(Math.round(value)));
const percentiles = ({ all }: Figures) => [0.5, 0.99, 1].map((share) => ms(all.percentile(share))).join(' / ');
const outcomes = (outcome: Outcome) =>
  Object.entries(outcome)
    .sort(([, a], [, b]) => b - a)
    .map(([what, times]) => (what === 'answer bytes' ? `largest answer ${Math.round(times / 1024)} KiB` : `${what} ${times}`))
    .join(', ');

const columns = ['Attack', 'Limits', 'Alone p50/p99/max', 'Beside p50/p99/max', 'Ratio', 'Failed', 'RSS MiB', 'Open', 'Loop ms', ''];

export const tableHead = () => `| ${columns.join(' | ')} |\n|${columns.map(() => ' --- |').join('')}`;

export function tableRow({ attack, mode, alone, beside, outcome, usage, ratios, broken }: Result): string {
  const ratio = ratios.map((each) => each.toFixed(1)).join(', ');
  const cells = [
    attack.name,
    mode === 'limited' ? 'default' : 'off',
    percentiles(alone),
    percentiles(beside),
    ratio,
    beside.failures.length,
    Math.round(usage.peakBytes / 2 ** 20),
    usage.peakDescriptors,
    ms(usage.maxDelayMs),
    `${broken.length > 0 ? `BROKEN: ${broken.join('; ')}. ` : ''}${outcomes(outcome)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The 99th percentiles of each kind of operation, alone and beside. */
export function details({ attack, mode, alone, beside }: Result): string {
  const kinds = Object.keys(alone.byKind) as Kind[];
  const figures = kinds.map((kind) => `${kind} ${ms(alone.byKind[kind].percentile(0.99))} -> ${ms(beside.byKind[kind].percentile(0.99))}`);
  return `${attack.name} (${mode}): ${figures.join(', ')}`;
}

export const legend = `Times of ordinary users in ms: sends, deliveries, small queries and /health together. Ratio: p99 beside / p99 alone, at most ${maxRatio}; the median counts if it was measured again. RSS and Open: peak memory and descriptors of the server. Loop: longest delay of its event loop.`;
