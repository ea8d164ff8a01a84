// A fault: what is done to the servers while people write and watch, and the figure that shows that it was felt.

import type { Crowd } from '../clients/crowd.ts';
import type { Rig } from '../rig/rig.ts';

export interface Stage {
  readonly rig: Rig;
  readonly crowd: Crowd;
  /** Seeded: between 0 and 1. */
  readonly random: () => number;
}

/** Shows that a fault was felt: what it was and how often. Zero means that the fault changed nothing. */
export interface Bite {
  readonly figure: string;
  readonly count: number;
}

export interface Fault {
  readonly name: string;
  /** While it lasts, a message may be late by so much; healed, everything must come right within the run's own bound. */
  readonly maxDelayMs?: number;
  /** The nodes of the run are started on the previous version, and this fault strikes first. */
  readonly startsOnPreviousVersion?: boolean;
  /** Strikes, lasts, and heals what it broke. Whatever it starts has ended when it resolves. */
  strike(stage: Stage): Promise<Bite>;
}
