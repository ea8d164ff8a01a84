// One exchange with the server, which can be repeated: what is sent, and the text of all answers.

import type { Operation } from './documents.ts';

export interface Exchange {
  /** What is sent, for the report. */
  readonly what: string;
  /** Resolves with the status and text of every answer. Throws for what the server should never do. */
  run(): Promise<string>;
  /** The operations whose answers `run` has reported, by the data that they were answered with. */
  readonly operations: readonly Operation[];
}

/** How long a socket or stream is listened to, if nothing else ends it. */
export const listenMs = 150;
/** How long an answer is waited for. It is late before that: see late.ts. */
export const giveUpMs = 30_000;
