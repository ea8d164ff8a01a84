// What a scenario is, and what comes of one.

import type { Contender } from '../contender.ts';
import type { Doubts, Rig } from '../rig/rig.ts';

export interface Figure {
  /** Unique in the whole benchmark. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Which way is good, where there is to be a chart of it. */
  readonly chart?: 'less is better' | 'more is better';
}

/** One figure of one round. */
export interface Sample {
  /** Of a figure. */
  readonly figure: string;
  /** Of what: a contender, by its name, or what else a scenario compares. */
  readonly of: string;
  readonly value: number;
  readonly doubts?: Doubts | undefined;
}

/** Samples of several figures. */
export const samplesOf = (of: string, values: Readonly<Record<string, number>>, doubts?: Doubts): Sample[] =>
  Object.entries(values).map(([figure, value]) => ({ figure, of, value, doubts }));

/** How long things are looked at. */
export interface Pace {
  readonly rounds: number;
  /** For a server to be as fast as it gets; half of it where one is measured several times. */
  readonly warmUpMs: number;
  /** For what happens at a given rate. */
  readonly pacedMs: number;
  /** For what goes as fast as it can. */
  readonly windowMs: number;
  /** The same for durable sends, of which there are many kinds. */
  readonly sendsMs: number;
}

export interface Scenario {
  readonly number: number;
  readonly title: string;
  /** What is done, in a few sentences. */
  readonly text: string;
  /** Where more would say nothing new. */
  readonly maxRounds?: number;
  /** Connections to one server. */
  readonly connections: number;
  readonly figures: readonly Figure[];
  /** Whom it measures, of all that there are. */
  contenders(all: readonly Contender[]): readonly Contender[];
  /** Measures one contender once. */
  run(rig: Rig, contender: Contender, pace: Pace): Promise<Sample[]>;
}

export const everyone = (all: readonly Contender[]) => all;
export const gaplessOnly = (all: readonly Contender[]) => all.filter(({ name }) => name === 'gapless');
