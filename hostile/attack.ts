// What an attack is, and what it counts. Attacks run in a process of their own, so that their CPU time is not the server's.

import type { Account } from '../proof/clients/api.ts';

/** What an attack knows of the server. */
export interface Target {
  readonly port: number;
  /** The GraphQL endpoint. */
  readonly url: string;
  /** The OPEN room of the ordinary users. */
  readonly roomId: string;
  /** An OPEN room of 400 messages, each of the largest size. */
  readonly longRoomId: string;
  /** A user who has nothing to do with the attackers. */
  readonly victimId: string;
  /** Path of a hashed file of the web chat. */
  readonly assetPath: string;
  /** Users that only this attack uses. Each of them has joined the ordinary users' room if the attack says so. */
  readonly users: readonly Account[];
}

/** With the default rate limits, or without any. */
export type Mode = 'limited' | 'unlimited';

export interface Attack {
  readonly name: string;
  /** What the clients do, in one line. */
  readonly does: string;
  /** Default: both. An attack that no rate limit concerns runs without rate limits only. */
  readonly modes?: readonly Mode[];
  /** Number of users that it needs. Default: 1. */
  readonly users?: number;
  /** How long ordinary users are measured beside it. Default: `besideMs` of the command. */
  readonly besideMs?: number;
  /** Attacks until `signal` is aborted. Calls `begun` once the ordinary users should feel it. */
  run(target: Target, tally: Tally, signal: AbortSignal, begun: () => void): Promise<void>;
  /** A sentence if the server did not bound it. */
  check?(outcome: Outcome): string | undefined;
}

/** How often each thing happened. */
export type Outcome = Readonly<Record<string, number>>;

export class Tally {
  readonly #counts = new Map<string, number>();

  count(what: string, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }

  /** Keeps the largest of the values. */
  atLeast(what: string, value: number): void {
    this.#counts.set(what, Math.max(this.#counts.get(what) ?? 0, value));
  }

  get outcome(): Outcome {
    return Object.fromEntries(this.#counts);
  }
}
