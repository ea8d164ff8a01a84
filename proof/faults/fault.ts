// A fault: how it is injected into a cluster while writers and watchers run, and the figure that shows that it had an effect.

import type { Crowd } from '../clients/crowd.ts';
import type { Rig } from '../rig/rig.ts';

/** What a fault acts on. */
export interface FaultContext {
  readonly rig: Rig;
  readonly crowd: Crowd;
  /** Seeded: between 0 and 1. */
  readonly random: () => number;
}

/** Shows that a fault had an effect: what it was and how often. Zero: it had none. */
export interface Effect {
  readonly figure: string;
  readonly count: number;
}

export interface Fault {
  readonly name: string;
  /** Allowed delay of a message while the fault lasts. After that, the bounds of the run apply. Undefined: any delay. */
  readonly maxDelayMs?: number;
  /** The nodes of the run are started with the previous version, and this fault is injected first. */
  readonly startsOnPreviousVersion?: boolean;
  /** Injects the fault, waits for its duration, and undoes it. Everything that it started has ended when it resolves. */
  inject(context: FaultContext): Promise<Effect>;
}
