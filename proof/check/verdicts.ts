// What can be wrong with a run, how often it was, and the first few cases as sentences.

import type { Timeline } from './timeline.ts';

/** Each verdict with what it means. A run is sound where none of them has a case. */
export const verdicts = {
  lost: 'acknowledged, and in the end not there, or there under another id, number or cursor',
  unseen: 'never handed to a watcher whose right held',
  duplicated: 'handed to a watcher twice',
  outOfOrder: 'handed to a watcher behind a later entry',
  skipped: 'passed over when the next one was handed over',
  phantom: 'handed over though the log does not hold it, or there though nobody has sent it',
  differing: 'not the same to everyone: id, number, cursor, body, or what happened',
  doublePosted: 'one key, two messages',
  misnumbered: 'a hole or a repeat in the numbers of the messages',
  leaked: 'handed over after the right was lost, or of a room that was not asked for',
  stray: 'delivered on a subscription that its client had completed',
  late: 'handed over later than it may be',
  crashed: 'a node ended that nobody had asked to',
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

  /** Counts `count` cases. `at` is when it showed; undefined for what is wrong with the final state. */
  add(verdict: Verdict, at: number | undefined, sentence: () => string, count = 1): void {
    const finding = this.byVerdict[verdict];
    finding.count += count;
    const faults = at === undefined ? [] : this.#timeline.blame(at, count);
    if (finding.examples.length >= maxExamples) return;
    const when = at === undefined ? '' : ` (at ${this.#timeline.tell(at)}${faults.map((fault) => `, ${fault}`).join('')})`;
    finding.examples.push(`${sentence()}${when}`);
  }
}
