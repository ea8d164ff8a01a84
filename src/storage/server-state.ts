// What the connections of this node have found out about the server. Each change is logged once, however many connections
// meet it, and a refusal at most once a minute.

import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { DatabaseFailure } from './failure.ts';

/** A database that is short of connections refuses some and accepts others, many times a second. */
const refusalIntervalMs = 60_000;

export class ServerState {
  readonly #log: Log | undefined;
  readonly #clock: Clock;
  #isStarted = false;
  #mayPrepare: boolean;
  #refusal: DatabaseFailure | undefined;
  /** Whether the log says that connections are refused. */
  #isLogged = false;
  #loggedAtMs = -Infinity;
  #defaults = '';
  /** Counters for operators. */
  readonly counts = { connectionsRefused: 0 };

  constructor(log?: Log, mayPrepare = true, clock: Clock = realClock) {
    this.#log = log;
    this.#clock = clock;
    this.#mayPrepare = mayPrepare;
  }

  /** The statement that each new connection runs first. `isPooled`: a pooler stands between. Undefined before the tables exist. */
  beginEpoch: ((isPooled: boolean) => string) | undefined;

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
    if (this.#isLogged) this.#log?.info('the database accepts connections again');
    this.#isLogged = false;
    this.#refusal = undefined;
  }

  refused(cause: unknown): void {
    if (!this.#isStarted) return;
    const error = new DatabaseFailure(cause);
    this.counts.connectionsRefused += 1;
    this.#refusal = error;
    if (this.#isLogged || this.#clock.now() - this.#loggedAtMs < refusalIntervalMs) return;
    this.#isLogged = true;
    this.#loggedAtMs = this.#clock.now();
    this.#log?.warn({ error }, `the database refuses connections: ${error.message}`);
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
