// An audience and its senders. Senders have connections of their own, so that the audience receives deliveries only.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { Audience, type Seat } from './audience.ts';
import { type Fixture, type Needs, type Route, routesOf } from './fixture.ts';
import { Histogram } from './histogram.ts';
import { inParallel, range } from './parallel.ts';
import { openSocketSender, type Sender } from './senders.ts';

export interface CrowdNeeds extends Needs {
  readonly watchersPerRoom: number;
}

/** Timeout for subscriptions to be active, and for messages to arrive. */
const arrivalTimeoutMs = 30_000;
/** Time between two checks whether subscriptions are active. */
const probeMs = 300;
const probesAtOnce = 16;

export class Crowd implements Disposable {
  readonly fixture: Fixture;
  readonly audience: Audience;
  readonly #senders: readonly Sender[];
  readonly #routes: readonly Route[];
  readonly #watchersPerRoom: number;
  /** Messages since the last reset. */
  sent = 0;
  acknowledged = 0;
  #failed: Error | undefined;

  private constructor(fixture: Fixture, audience: Audience, senders: readonly Sender[], watchersPerRoom: number) {
    this.fixture = fixture;
    this.audience = audience;
    this.#senders = senders;
    this.#routes = routesOf({ rooms: fixture.rooms.length, senders: senders.length });
    this.#watchersPerRoom = watchersPerRoom;
  }

  /** Opens watchers at one port and senders at the same or another port. Resolves when every watcher receives messages. */
  static async open(contender: Contender, needs: CrowdNeeds, watchPort: number, sendPort = watchPort): Promise<Crowd> {
    const fixture = await contender.prepare(sendPort, needs);
    const seats = range(needs.rooms * needs.watchersPerRoom).map(
      (index): Seat => ({ room: fixture.rooms[index % needs.rooms] as string, token: fixture.viewers[index % needs.viewers] }),
    );
    const audience = await Audience.open(watchPort, contender.webSocket, seats);
    const senders = await inParallel(fixture.senders, fixture.senders.length, (token) =>
      openSocketSender(sendPort, contender.webSocket, token),
    );
    const crowd = new Crowd(fixture, audience, senders, needs.watchersPerRoom);
    await crowd.#untilSubscribed();
    return crowd;
  }

  /** Keeps `messagesUnderWay` messages sent and not yet received by all, until `work` is done. */
  async saturate<T>(messagesUnderWay: number, work: () => Promise<T>): Promise<T> {
    let isRunning = true;
    const pump = () => {
      while (isRunning && this.#underWay < messagesUnderWay) void this.#sendNext();
      this.audience.callAt = isRunning ? (this.sent - messagesUnderWay + 1) * this.#watchersPerRoom : Number.POSITIVE_INFINITY;
    };
    this.audience.onReceived = pump;
    pump();
    try {
      return await work();
    } finally {
      isRunning = false;
      this.audience.callAt = Number.POSITIVE_INFINITY;
      this.check();
    }
  }

  /** Sends at a constant rate, into one room only. Resolves with the delays of all deliveries. */
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

  /** Waits until everyone has received everything, and resets the counters. */
  async settle(): Promise<void> {
    await this.audience.untilReceived(this.sent * this.#watchersPerRoom, arrivalTimeoutMs);
    await this.audience.untilQuiet();
    this.check();
    if (this.audience.received > this.sent * this.#watchersPerRoom) throw new Error('More messages were delivered than sent.');
    this.#reset();
  }

  /** Throws if a send failed or a connection was lost. */
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

  /** Resolves when the send is acknowledged or has failed. */
  async #sendNext(route = this.#routes[this.sent % this.#routes.length] as Route): Promise<void> {
    this.sent += 1;
    try {
      await (this.#senders[route.sender] as Sender).send(this.fixture.rooms[route.room] as string);
      this.acknowledged += 1;
    } catch (error) {
      this.#failed ??= error as Error;
    }
  }

  // Not every protocol acknowledges a subscription. So messages are sent to a room until each of its watchers receives one.
  async #untilSubscribed(): Promise<void> {
    const deadlineMs = performance.now() + arrivalTimeoutMs;
    for (let silent = new Set(this.fixture.rooms); silent.size > 0; silent = this.audience.roomsWithout(1)) {
      if (performance.now() > deadlineMs) throw new Error(`In ${silent.size} rooms a watcher receives nothing.`);
      const routes = this.#routes.slice(0, this.fixture.rooms.length).filter(({ room }) => silent.has(this.fixture.rooms[room] as string));
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
