// What the connections of this node have found out about the server. Each change is logged once, however many connections
// meet it.

import type { Log } from '../log.ts';
import { DatabaseFailure } from './failure.ts';

export class ServerState {
  readonly #log: Log | undefined;
  #isStarted = false;
  #mayPrepare: boolean;
  #refusal: DatabaseFailure | undefined;
  #defaults = '';
  /** Counters for operators. */
  readonly counts = { connectionsRefused: 0 };

  constructor(log?: Log, mayPrepare = true) {
    this.#log = log;
    this.#mayPrepare = mayPrepare;
  }

  /** From now on, changes are logged. Until then, a failure ends the start with a sentence. */
  start(): void {
    this.#isStarted = true;
  }

  /** Why the newest attempt to connect failed. Undefined if it succeeded. */
  get refusal(): DatabaseFailure | undefined {
    return this.#refusal;
  }

  /** Whether statements may be prepared under a name. */
  get mayPrepare(): boolean {
    return this.#mayPrepare;
  }

  connected(): void {
    if (this.#refusal) this.#log?.info('the database accepts connections again');
    this.#refusal = undefined;
  }

  refused(cause: unknown): void {
    if (!this.#isStarted) return;
    const error = new DatabaseFailure(cause);
    this.counts.connectionsRefused += 1;
    if (!this.#refusal) this.#log?.warn({ error }, `the database refuses connections: ${error.message}`);
    this.#refusal = error;
  }

  /** A prepared statement is gone: either a pooler stands between, or DEALLOCATE was run. */
  lostStatement(): void {
    if (this.#mayPrepare) {
      this.#log?.warn(
        'the database has lost a prepared statement, as behind a pooler: this node prepares none from now on; DATABASE_PREPARE=off has the same effect from the start',
      );
    }
    this.#mayPrepare = false;
  }

  /** `names` lists the defaults of the role or the database that this server cannot work with, and so sets for each statement. */
  foundDefaults(names: string): void {
    if (names !== '' && names !== this.#defaults) {
      this.#log?.warn(
        `the role or the database has defaults that the server does not use: ${names}; each statement sets them, which takes two more round trips`,
      );
    }
    this.#defaults = names;
  }
}
