// When the operations of each client start. In one turn of the event loop, a few of each client start, and the others wait for
// the next turns: a client who sends many at once delays the others by little.

import { type Clock, realClock } from '../clock.ts';
import { rateLimited } from '../errors.ts';

/** Operations of one client that start in one turn. */
const perTurn = 4;
/** Operations of one client that wait to start, unless the constructor is told another number. */
const defaultMaxWaiting = 1000;
/** A client with more waiting operations starts one in a turn, and pauses between its turns while the event loop is busy. */
const backlog = 20;
/** A turn that comes later than this shows a busy loop. The pause is this many times as long as the turn came late. */
const busyMs = 1;
const pauseTimes = 3;
const maxPauseMs = 8;
/** How long an operation may wait to start. It has to be answered within 4.5 seconds. */
const maxWaitMs = 4000;

interface Client {
  /** Operations that have started in this turn. */
  started: number;
  readonly waiting: (() => void)[];
  /** Time between its turns. */
  pauseMs: number;
  nextTurnAtMs: number;
}

const tooMany = 'You have too many operations waiting: wait until some are answered.';

export class Starts {
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  /** Clients who have started something in this turn, or who wait. */
  readonly #clients = new Map<string, Client>();
  /** When the next turn would come if the loop were idle. */
  #expectedAtMs = 0;

  constructor(clock: Clock = realClock, maxWaiting = defaultMaxWaiting) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  /** Resolves when an operation of the client may start. Undefined if it may start now. Throws RATE_LIMITED if too many wait. */
  start(key: string): Promise<void> | undefined {
    const client = this.#clientOf(key);
    if (client.waiting.length === 0 && client.started < perTurn) {
      client.started += 1;
      return undefined;
    }
    if (client.waiting.length >= this.#maxWaiting || client.waiting.length * client.pauseMs >= maxWaitMs) throw rateLimited(tooMany);
    return new Promise((resolve) => client.waiting.push(resolve));
  }

  #clientOf(key: string): Client {
    const known = this.#clients.get(key);
    if (known) return known;
    const client: Client = { started: 0, waiting: [], pauseMs: 0, nextTurnAtMs: 0 };
    if (this.#clients.size === 0) this.#planTurn(0);
    this.#clients.set(key, client);
    return client;
  }

  #planTurn(inMs: number): void {
    this.#expectedAtMs = this.#clock.now() + inMs;
    if (inMs === 0) setImmediate(this.#turn);
    else this.#clock.after(inMs, this.#turn);
  }

  readonly #turn = (): void => {
    const nowMs = this.#clock.now();
    const lateMs = nowMs - this.#expectedAtMs;
    const pauseMs = lateMs < busyMs ? 0 : Math.min(lateMs * pauseTimes, maxPauseMs);
    let isSoon = false;
    for (const [key, client] of this.#clients) {
      if (client.nextTurnAtMs > nowMs) continue;
      const isBacklog = client.waiting.length > backlog;
      const next = client.waiting.splice(0, isBacklog ? 1 : perTurn);
      client.started = next.length;
      client.pauseMs = isBacklog ? pauseMs : 0;
      client.nextTurnAtMs = nowMs + client.pauseMs;
      if (client.pauseMs === 0) isSoon = true;
      if (next.length === 0) this.#clients.delete(key);
      for (const start of next) start();
    }
    if (this.#clients.size > 0) this.#planTurn(isSoon ? 0 : 1);
  };
}
