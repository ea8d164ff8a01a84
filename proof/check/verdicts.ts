// What can be wrong with a run: the number of cases, and the first few as sentences.

import type { Timeline } from './timeline.ts';

/** Each verdict and its meaning. A run is sound if there is no case of any. */
export const verdicts = {
  lost: 'acknowledged, but finally missing, or present with another id, number or cursor',
  unseen: 'never delivered to a watcher with the right to it',
  duplicated: 'delivered to a watcher twice',
  outOfOrder: 'delivered to a watcher after a later entry',
  skipped: 'skipped when a later one was delivered',
  phantom: 'delivered but not in the log, or present but not sent by anyone',
  differing: 'different in id, number, cursor, body or type, or with an error',
  doublePosted: 'sent once, but present as two messages with one key',
  misnumbered: 'numbered with a gap or a repetition',
  leaked: 'delivered after the right was lost or the session signed out, or of another room',
  stray: 'delivered on a subscription that its client had completed',
  late: 'delivered later than allowed',
  crashed: 'running, and ended without being stopped',
} as const;

export type Verdict = keyof typeof verdicts;

export const verdictNames = Object.keys(verdicts) as Verdict[];

export interface Finding {
  count: number;
  /** The first few. */
  readonly examples: string[];
}

const maxExamples = 5;

export class Findings {
  readonly byVerdict = Object.fromEntries(verdictNames.map((name) => [name, { count: 0, examples: [] }])) as unknown as Record<
    Verdict,
    Finding
  >;
  readonly #timeline: Timeline;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Counts `count` cases. `at` is when they appeared; undefined for the final state. */
  add(verdict: Verdict, at: number | undefined, sentence: () => string, count = 1): void {
    const finding = this.byVerdict[verdict];
    finding.count += count;
    const faults = at === undefined ? [] : this.#timeline.attribute(at, count);
    if (finding.examples.length >= maxExamples) return;
    const when = at === undefined ? '' : ` (at ${this.#timeline.formatTime(at)}${faults.map((fault) => `, ${fault}`).join('')})`;
    finding.examples.push(`${sentence()}${when}`);
  }
}
