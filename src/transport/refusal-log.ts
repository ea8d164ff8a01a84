// Logs the requests that are refused because of their host or origin: at most one line a minute for each address, with the
// number of its refusals, so that a client that repeats them does not fill the log.

import type { IncomingMessage } from 'node:http';
import { type Clock, every } from '../clock.ts';
import type { Log } from '../log.ts';
import { Refusal } from './refusal.ts';

const everyMs = 60_000;
/** Maximum number of addresses that are counted at once. The refusals of further addresses are counted together. */
const maxAddresses = 1000;
const others = 'other addresses';

export class RefusalLog implements Disposable {
  readonly #log: Log;
  readonly #timer: Disposable;
  /** By address: what was refused since its last line. */
  readonly #counted = new Map<string, { count: number; reason: string }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#timer = every(clock, everyMs, () => this.#writeCounted());
  }

  /** Counts the error if it is such a refusal. The first one of an address is logged at once. */
  count({ socket }: IncomingMessage, error: unknown): void {
    if (!(error instanceof Refusal) || error.code !== 'FORBIDDEN') return;
    const { remoteAddress = 'unknown' } = socket;
    const address = this.#counted.has(remoteAddress) || this.#counted.size < maxAddresses ? remoteAddress : others;
    const known = this.#counted.get(address);
    if (known) {
      known.count += 1;
      known.reason = error.message;
      return;
    }
    this.#counted.set(address, { count: 0, reason: error.message });
    this.#writeLine(address, 1, error.message);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #writeCounted(): void {
    for (const [address, counted] of this.#counted) {
      if (counted.count === 0) {
        this.#counted.delete(address);
        continue;
      }
      this.#writeLine(address, counted.count, counted.reason);
      counted.count = 0;
    }
  }

  #writeLine(address: string, count: number, reason: string): void {
    this.#log.warn({ address, count, reason }, 'requests were refused');
  }
}
