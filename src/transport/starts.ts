// When the operations of each client start. In one turn of the event loop, a few of each client start, and the others wait for
// the next turns: a client who sends many at once delays the others by little.

import { rateLimited } from '../errors.ts';

/** Operations of one client that start in one turn. */
const perTurn = 4;
/** Operations of one client that wait to start, unless the constructor is told another number. */
const defaultMaxWaiting = 1000;
/** A client with more waiting operations starts one in a turn. */
const backlog = 20;

interface Client {
  /** Operations that have started in this turn. */
  started: number;
  readonly waiting: (() => void)[];
}

const tooMany = 'You have too many operations waiting: wait until some are answered.';

export class Starts {
  readonly #maxWaiting: number;
  /** Clients who have started something in this turn, or who wait. */
  readonly #clients = new Map<string, Client>();

  constructor(maxWaiting = defaultMaxWaiting) {
    this.#maxWaiting = maxWaiting;
  }

  /** Resolves when an operation of the client may start. Undefined if it may start now. Throws RATE_LIMITED if too many wait. */
  start(key: string): Promise<void> | undefined {
    const client = this.#clientOf(key);
    if (client.waiting.length === 0 && client.started < perTurn) {
      client.started += 1;
      return undefined;
    }
    if (client.waiting.length >= this.#maxWaiting) throw rateLimited(tooMany);
    return new Promise((resolve) => client.waiting.push(resolve));
  }

  #clientOf(key: string): Client {
    const known = this.#clients.get(key);
    if (known) return known;
    const client: Client = { started: 0, waiting: [] };
    if (this.#clients.size === 0) setImmediate(this.#turn);
    this.#clients.set(key, client);
    return client;
  }

  readonly #turn = (): void => {
    for (const [key, client] of this.#clients) {
      const next = client.waiting.splice(0, client.waiting.length > backlog ? 1 : perTurn);
      client.started = next.length;
      if (next.length === 0) this.#clients.delete(key);
      for (const start of next) start();
    }
    if (this.#clients.size > 0) setImmediate(this.#turn);
  };
}
