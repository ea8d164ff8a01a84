// Ends the connections of users whose row was deleted. A socket is authenticated only once, so otherwise it would stay open
// until its token expires.

import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Connections } from './connections.ts';

/** How long a connection may outlive its user. */
const intervalMs = 10_000;
/** Maximum number of users in one query. */
const usersPerQuery = 1000;

/** Resolves with those of the users that exist. */
type FindExisting = (ids: readonly string[]) => Promise<readonly { readonly id: string }[]>;

export class GoneViewers implements Disposable {
  readonly #connections: Connections;
  readonly #findExisting: FindExisting;
  readonly #log: Log;
  readonly #clock: Clock;
  #timer: Disposable;
  #closed = false;

  constructor(connections: Connections, findExisting: FindExisting, log: Log, clock: Clock = realClock) {
    this.#connections = connections;
    this.#findExisting = findExisting;
    this.#log = log;
    this.#clock = clock;
    this.#timer = this.#plan();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer[Symbol.dispose]();
  }

  #plan(): Disposable {
    return this.#clock.after(intervalMs * (0.8 + Math.random() / 5), async () => {
      await this.#check().catch((error: unknown) => this.#log.warn({ error }, 'could not check whether the connected users still exist'));
      if (!this.#closed) this.#timer = this.#plan();
    });
  }

  async #check(): Promise<void> {
    const ids = [...this.#connections.viewerIds()];
    for (let from = 0; from < ids.length; from += usersPerQuery) {
      const some = ids.slice(from, from + usersPerQuery);
      const existing = new Set((await this.#findExisting(some)).map(({ id }) => id));
      const gone = new Set(some.filter((id) => !existing.has(id)));
      if (gone.size > 0) this.#connections.endViewers(gone);
    }
  }
}
