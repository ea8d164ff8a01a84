// Ends the connections of sessions that were signed out, on whatever node.

import type { Revocations } from '../chat/revocations.ts';
import { type Clock, every, realClock } from '../clock.ts';
import { signedOut } from '../errors.ts';
import type { Connections } from './connections.ts';

/** Sign-outs within this time are one pass over all connections. */
const gatherMs = 50;
/** Interval of a pass without a new sign-out, for connections that were being opened during the last one. */
const passMs = 1000;

export class RevokedViewers implements Disposable {
  readonly #connections: Connections;
  readonly #revocations: Revocations;
  readonly #clock: Clock;
  readonly #cleanup = new DisposableStack();
  #planned: Disposable | undefined;

  constructor(connections: Connections, revocations: Revocations, clock: Clock = realClock) {
    this.#connections = connections;
    this.#revocations = revocations;
    this.#clock = clock;
    this.#cleanup.use(revocations.onRevoked(() => this.#planPass()));
    this.#cleanup.use(every(clock, passMs, () => this.#pass()));
    this.#cleanup.defer(() => this.#planned?.[Symbol.dispose]());
  }

  [Symbol.dispose](): void {
    this.#cleanup.dispose();
  }

  #planPass(): void {
    this.#planned ??= this.#clock.after(gatherMs, () => {
      this.#planned = undefined;
      this.#pass();
    });
  }

  #pass(): void {
    this.#connections.endWhere(({ session }) => this.#revocations.isRevoked(session), signedOut());
  }
}
