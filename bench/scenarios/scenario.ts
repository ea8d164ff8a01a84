// The types of a scenario and its samples.

import type { Contender } from '../contender.ts';
import type { Doubts, Rig } from '../rig/rig.ts';

export interface Figure {
  /** Unique in the whole benchmark. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Set if the report draws a chart. */
  readonly chart?: 'less is better' | 'more is better';
}

/** One figure of one round. */
export interface Sample {
  /** Id of a figure. */
  readonly figure: string;
  /** Name of a contender, or of something else that the scenario compares. */
  readonly of: string;
  readonly value: number;
  readonly doubts?: Doubts | undefined;
}

/** Samples of several figures. */
export const samplesOf = (of: string, values: Readonly<Record<string, number>>, doubts?: Doubts): Sample[] =>
  Object.entries(values).map(([figure, value]) => ({ figure, of, value, doubts }));

/** Durations of measurements. */
export interface Pace {
  readonly rounds: number;
  /** Warm-up. Half of it if a server is measured several times. */
  readonly warmUpMs: number;
  /** For measurements at a constant rate. */
  readonly pacedMs: number;
  /** For measurements at full speed. */
  readonly windowMs: number;
  /** For durable sends, which are measured in several variants. */
  readonly sendsMs: number;
}

export interface Scenario {
  readonly number: number;
  readonly title: string;
  /** Description for the report. */
  readonly text: string;
  /** Set if more rounds would not improve the result. */
  readonly maxRounds?: number;
  /** Maximum number of connections to one server. */
  readonly connections: number;
  readonly figures: readonly Figure[];
  /** The contenders that it measures. */
  contenders(all: readonly Contender[]): readonly Contender[];
  /** Measures one contender once. */
  run(rig: Rig, contender: Contender, pace: Pace): Promise<Sample[]>;
}

export const everyone = (all: readonly Contender[]) => all;
export const gaplessOnly = (all: readonly Contender[]) => all.filter(({ name }) => name === 'gapless');
