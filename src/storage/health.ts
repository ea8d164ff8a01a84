// Whether the database answers. Read from memory: one probe at a time refreshes it once a second, however often it is read.

import { type Clock, every, realClock } from '../clock.ts';
import type { Log } from '../log.ts';

const probeIntervalMs = 1000;
/** A probe that takes longer than this counts as failed. */
const maxProbeMs = 2500;

export type DatabaseState = 'ok' | 'unavailable';

export class DatabaseHealth implements Disposable {
  readonly #probe: () => Promise<void>;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #timer: Disposable;
  /** `ok` at first, because storage is opened only if the database answers. */
  #state: DatabaseState = 'ok';
  /** Undefined if no probe is running. */
  #probingSinceMs: number | undefined;
  #failure: unknown;
  #closed = false;

  /** `probe` throws if the database does not answer. It must not wait for anything else, such as a pool connection. */
  constructor(probe: () => Promise<void>, log: Log, clock: Clock = realClock) {
    this.#probe = probe;
    this.#log = log;
    this.#clock = clock;
    this.#timer = every(clock, probeIntervalMs, () => this.#tick());
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Why it is unavailable. */
  get failure(): unknown {
    return this.#failure;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer[Symbol.dispose]();
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    if (this.#probingSinceMs === undefined) {
      this.#probingSinceMs = nowMs;
      this.#probe().then(
        () => this.#end('ok'),
        (error: unknown) => this.#end('unavailable', error),
      );
    } else if (nowMs - this.#probingSinceMs >= maxProbeMs) this.#set('unavailable', new Error('the probe got no answer'));
  }

  #end(state: DatabaseState, error?: unknown): void {
    this.#probingSinceMs = undefined;
    this.#set(state, error);
  }

  #set(state: DatabaseState, error?: unknown): void {
    if (this.#closed || state === this.#state) return;
    this.#state = state;
    this.#failure = error;
    if (state === 'ok') this.#log.info('the database answers again');
    else this.#log.warn({ error }, 'the database does not answer');
  }
}
