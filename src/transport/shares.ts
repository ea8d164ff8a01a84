// What each client may use of this node: starts of operations, large operations, and memory for answers that are not read. A
// client is a viewer, or an address for requests without a token.

import type { IncomingMessage } from 'node:http';
import type { Viewer } from '../chat/identity.ts';
import { type Clock, realClock } from '../clock.ts';
import type { Share } from '../schema/context.ts';
import type { Connection } from './connection.ts';
import { LargeOperations } from './large-operations.ts';
import { Rests } from './rests.ts';
import { Starts } from './starts.ts';

/** They wait for less than a second, because each has to be answered within five. */
const maxEntries = 300;

export class Shares {
  readonly starts: Starts;
  /** Requests over HTTP whose viewer is not known yet, by what they send to identify the viewer. */
  readonly #entries: Starts;
  readonly rests: Rests;
  readonly large: LargeOperations;

  constructor(clock: Clock = realClock) {
    this.starts = new Starts(clock);
    this.#entries = new Starts(clock, maxEntries);
    this.rests = new Rests(clock);
    this.large = new LargeOperations(clock);
  }

  /** Resolves when a request may be read and its viewer identified. Undefined if that may be now. Throws RATE_LIMITED. */
  enter({ headers }: IncomingMessage, address: string | undefined): Promise<void> | undefined {
    return this.#entries.start(headers.authorization ?? headers.cookie ?? address ?? '');
  }

  /** The share of a client, for an operation on this connection. */
  of(viewer: Viewer | undefined, address: string | undefined, connection: Connection): ClientShare {
    return new ClientShare(this, viewer?.userId ?? address ?? '', connection);
  }
}

export class ClientShare implements Share {
  readonly #shares: Shares;
  readonly #key: string;
  readonly #connection: Connection;

  constructor(shares: Shares, key: string, connection: Connection) {
    this.#shares = shares;
    this.#key = key;
    this.#connection = connection;
  }

  /**
   * Resolves when an operation may start. Undefined if it may start now. A document that is not known takes time to validate,
   * so its client must have rested.
   */
  start(isKnown: boolean): Promise<void> | undefined {
    const rested = isKnown ? undefined : this.rested();
    return rested ? rested.then(() => this.#shares.starts.start(this.#key)) : this.#shares.starts.start(this.#key);
  }

  rested(): Promise<void> | undefined {
    return this.#shares.rests.rested(this.#key);
  }

  charge(ms: number): void {
    this.#shares.rests.charge(this.#key, ms);
  }

  runLarge<Result>(work: () => Promise<{ result: Result; blockedMs: number }>): Promise<Result> {
    return this.#shares.large.run(this.#key, work);
  }

  accepts(bytes: number): boolean {
    return this.#connection.accepts(bytes);
  }
}
