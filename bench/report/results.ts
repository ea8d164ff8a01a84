// Every sample of a run, and what they come to: medians over the rounds.

import type { Doubts } from '../rig/rig.ts';
import type { Sample } from '../scenarios/scenario.ts';

export interface RoundSample extends Sample {
  /** From 1 on. */
  readonly round: number;
}

export class Results {
  readonly samples: readonly RoundSample[];
  /** What could not be measured, and why. */
  readonly failures: readonly string[];

  constructor(samples: readonly RoundSample[], failures: readonly string[] = []) {
    this.samples = samples;
    this.failures = failures;
  }

  /** The middle value of all rounds; undefined where there is none. */
  median(figure: string, of: string): number | undefined {
    const values = this.#of(figure, of)
      .map(({ value }) => value)
      .sort((a, b) => a - b);
    const middle = values.length / 2;
    return values.length % 2 === 1 ? values[Math.floor(middle)] : mean(values.slice(middle - 1, middle + 1));
  }

  /** Whether there was this doubt in one of the rounds. */
  doubted(doubt: keyof Doubts, figure: string, of: string): boolean {
    return this.#of(figure, of).some(({ doubts }) => doubts?.[doubt]);
  }

  #of(figure: string, of: string): RoundSample[] {
    return this.samples.filter((sample) => sample.figure === figure && sample.of === of);
  }
}

const mean = ([a, b]: number[]) => (a === undefined || b === undefined ? undefined : (a + b) / 2);
