// The samples of a run, and their medians over the rounds.

import type { Doubts } from '../rig/rig.ts';
import type { Sample } from '../scenarios/scenario.ts';

export interface RoundSample extends Sample {
  /** Starts at 1. */
  readonly round: number;
}

export class Results {
  readonly samples: readonly RoundSample[];
  /** Failed measurements, with their errors. */
  readonly failures: readonly string[];

  constructor(samples: readonly RoundSample[], failures: readonly string[] = []) {
    this.samples = samples;
    this.failures = failures;
  }

  /** The median of all rounds. Undefined if there is no sample. */
  median(figure: string, of: string): number | undefined {
    const values = this.#of(figure, of)
      .map(({ value }) => value)
      .sort((a, b) => a - b);
    const middle = values.length / 2;
    return values.length % 2 === 1 ? values[Math.floor(middle)] : mean(values.slice(middle - 1, middle + 1));
  }

  /** Whether a round has this doubt. */
  doubted(doubt: keyof Doubts, figure: string, of: string): boolean {
    return this.#of(figure, of).some(({ doubts }) => doubts?.[doubt]);
  }

  #of(figure: string, of: string): RoundSample[] {
    return this.samples.filter((sample) => sample.figure === figure && sample.of === of);
  }
}

const mean = ([a, b]: number[]) => (a === undefined || b === undefined ? undefined : (a + b) / 2);
