// An audience and those who write to it. Senders have connections of their own, so that all that an audience receives is
// deliveries.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { Audience, type Seat } from './audience.ts';
import { Histogram } from './histogram.ts';
import { inParallel, range } from './parallel.ts';
import { openSocketSender, type Sender } from './senders.ts';
import { type Needs, type Route, routesOf, type Stage } from './stage.ts';

export interface CrowdNeeds extends Needs {
  readonly watchersPerRoom: number;
}

/** How long subscriptions may take to be there, and what was sent to arrive. */
const patienceMs = 30_000;
/** Between two looks whether subscriptions are there. */
const probeMs = 300;
const probesAtOnce = 16;

export class Crowd implements Disposable {
  readonly stage: Stage;
  readonly audience: Audience;
  readonly #senders: readonly Sender[];
  readonly #routes: readonly Route[];
  readonly #watchersPerRoom: number;
  /** Since the last reset. */
  sent = 0;
  acknowledged = 0;
  #failed: Error | undefined;

  private constructor(stage: Stage, audience: Audience, senders: readonly Sender[], watchersPerRoom: number) {
    this.stage = stage;
    this.audience = audience;
    this.#senders = senders;
    this.#routes = routesOf({ rooms: stage.rooms.length, senders: senders.length });
    this.#watchersPerRoom = watchersPerRoom;
  }

  /** Opens it, with its audience at one port and its senders at the same or another. Resolves when everyone hears what is said. */
  static async open(contender: Contender, needs: CrowdNeeds, watchPort: number, sendPort = watchPort): Promise<Crowd> {
    const stage = await contender.prepare(sendPort, needs);
    const seats = range(needs.rooms * needs.watchersPerRoom).map(
      (index): Seat => ({ room: stage.rooms[index % needs.rooms] as string, ticket: stage.viewers[index % needs.viewers] }),
    );
    const audience = await Audience.open(watchPort, contender.webSocket, seats);
    const senders = await inParallel(stage.senders, stage.senders.length, (ticket) =>
      openSocketSender(sendPort, contender.webSocket, ticket),
    );
    const crowd = new Crowd(stage, audience, senders, needs.watchersPerRoom);
    await crowd.#untilHeard();
    return crowd;
  }

  /** Keeps so many messages under way, sent and not yet received by all, until the work is done. */
  async saturate<T>(messagesUnderWay: number, work: () => Promise<T>): Promise<T> {
    let going = true;
    const pump = () => {
      while (going && this.#underWay < messagesUnderWay) void this.#sendNext();
      this.audience.callAt = going ? (this.sent - messagesUnderWay + 1) * this.#watchersPerRoom : Number.POSITIVE_INFINITY;
    };
    this.audience.onReceived = pump;
    pump();
    try {
      return await work();
    } finally {
      going = false;
      this.audience.callAt = Number.POSITIVE_INFINITY;
      this.check();
    }
  }

  /** Sends so many messages a second for a while, and resolves with how long each took to each watcher. In one room only. */
  async sendAtRate(messagesPerSecond: number, ms: number): Promise<Histogram> {
    const sentAtMs: number[] = [];
    const histogram = new Histogram();
    this.audience.delays = { sentAtMs, histogram };
    const startMs = performance.now();
    for (let index = 0; index < (ms / 1000) * messagesPerSecond; index += 1) {
      await sleep(Math.max(0, startMs + (index * 1000) / messagesPerSecond - performance.now()));
      sentAtMs.push(performance.now());
      void this.#sendNext();
    }
    await sleep(Math.max(0, startMs + ms - performance.now()));
    return histogram;
  }

  /** Resolves when all that was sent has been received by everyone, and begins to count anew. */
  async settle(): Promise<void> {
    await this.audience.untilReceived(this.sent * this.#watchersPerRoom, patienceMs);
    await this.audience.untilQuiet();
    this.check();
    if (this.audience.received > this.sent * this.#watchersPerRoom) throw new Error('More was delivered than was sent.');
    this.#reset();
  }

  /** Throws where a send has failed or a connection was lost. */
  check(): void {
    this.audience.check();
    if (this.#failed) throw this.#failed;
  }

  [Symbol.dispose](): void {
    this.audience[Symbol.dispose]();
    for (const sender of this.#senders) sender[Symbol.dispose]();
  }

  get #underWay(): number {
    return this.sent - this.audience.received / this.#watchersPerRoom;
  }

  /** Resolves when it is acknowledged or has failed. */
  async #sendNext(route = this.#routes[this.sent % this.#routes.length] as Route): Promise<void> {
    this.sent += 1;
    try {
      await (this.#senders[route.sender] as Sender).send(this.stage.rooms[route.room] as string);
      this.acknowledged += 1;
    } catch (error) {
      this.#failed ??= error as Error;
    }
  }

  // Not every protocol says when a subscription is there: what is said in a room until all of it hear something does.
  async #untilHeard(): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    for (let deaf = new Set(this.stage.rooms); deaf.size > 0; deaf = this.audience.roomsWithout(1)) {
      if (performance.now() > deadlineMs) throw new Error(`In ${deaf.size} rooms somebody hears nothing.`);
      const routes = this.#routes.slice(0, this.stage.rooms.length).filter(({ room }) => deaf.has(this.stage.rooms[room] as string));
      await inParallel(routes, probesAtOnce, (route) => this.#sendNext(route));
      await sleep(probeMs);
      await this.audience.untilQuiet();
    }
    this.check();
    this.#reset();
  }

  #reset(): void {
    this.audience.reset();
    this.audience.delays = undefined;
    this.sent = 0;
    this.acknowledged = 0;
  }
}
