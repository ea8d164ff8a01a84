// The WebSockets and event streams that are open on this node, by user and by address. A key that has none is not kept.

import { rateLimited } from '../errors.ts';
import type { LimitValues, OpenLimitName } from '../rate-limits.ts';
import type { RefusalLog } from './refusal-log.ts';

/** When a client that has too many may ask again, in milliseconds. Nothing says when one of them will close. */
const retryAfterMs = 10_000;

export class OpenSockets {
  readonly #limits: LimitValues['open'];
  readonly #refusals: RefusalLog;
  readonly #counts = new Map<string, number>();

  constructor(limits: LimitValues['open'], refusals: RefusalLog) {
    this.#limits = limits;
    this.#refusals = refusals;
  }

  /** The number of users and addresses that have one open. */
  get size(): number {
    return this.#counts.size;
  }

  /** Counts a socket of an address. Throws RATE_LIMITED if there are too many. An undefined address is not limited. */
  open(address: string | undefined): OpenSocket {
    this.add('socketsOfAddress', address);
    return new OpenSocket(this, address);
  }

  /** Counts one more for a user or address. Throws RATE_LIMITED if there are too many. */
  add(name: OpenLimitName, key: string | undefined): void {
    const most = this.#limits[name];
    if (key === undefined || most === undefined) return;
    const counted = `${name} ${key}`;
    const count = this.#counts.get(counted) ?? 0;
    if (count >= most) {
      this.#refusals.add(key, { limit: name });
      throw rateLimited(`At most ${most} WebSockets and event streams may be open at once: close one first.`, retryAfterMs);
    }
    this.#counts.set(counted, count + 1);
  }

  /** The opposite of `add`. */
  remove(name: OpenLimitName, key: string | undefined): void {
    if (key === undefined || this.#limits[name] === undefined) return;
    const counted = `${name} ${key}`;
    const left = (this.#counts.get(counted) as number) - 1;
    if (left > 0) this.#counts.set(counted, left);
    else this.#counts.delete(counted);
  }
}

/** One socket, counted until it is closed. */
export class OpenSocket {
  readonly #sockets: OpenSockets;
  #userId: string | undefined;
  #closed = false;
  /** Undefined for a client on this machine. */
  readonly address: string | undefined;

  constructor(sockets: OpenSockets, address: string | undefined) {
    this.#sockets = sockets;
    this.address = address;
  }

  /** Counts it for this user, and no longer for another. Throws RATE_LIMITED if the user has too many. */
  belongTo(userId: string | undefined): void {
    if (this.#closed || userId === this.#userId) return;
    this.#sockets.add('socketsOfUser', userId);
    this.#sockets.remove('socketsOfUser', this.#userId);
    this.#userId = userId;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sockets.remove('socketsOfAddress', this.address);
    this.#sockets.remove('socketsOfUser', this.#userId);
  }
}
