// The bus of a cluster: Redis pub/sub, through Yoga's Redis EventTarget. A node subscribes to a room's topic once.
// Redis may be absent, restart, forget or fall silent: entries are lost then, `healthy` says so, and it heals by itself.

import { randomUUID } from 'node:crypto';
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import { Redis } from 'ioredis';
import type { Log } from '../log.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { Bus, Listener } from './bus.ts';
import { readEntry, writeEntry } from './wire.ts';

/** The node publishes to itself so often, and takes Redis for gone when two in a row have not come back. */
const probeIntervalMs = 1500;
const probesToMiss = 2;
/** How long after a failure entries may still be on their way astray. */
const convalescenceMs = 5000;
/** A subscription that is not acknowledged by then is left to the head check. */
const acknowledgeMs = 1000;
/** Topics per SUBSCRIBE when all are subscribed again. */
const topicsPerCommand = 500;

const topicOf = (roomId: string) => `gapless:room:${roomId}`;

export class RedisBus implements Bus {
  readonly #log: Log;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #target: ReturnType<typeof createRedisEventTarget<CustomEvent<string>>>;
  readonly #topics = new Set<string>();
  readonly #acknowledged = new Map<string, Promise<unknown>>();
  readonly #probeTopic = `gapless:probe:${randomUUID()}`;
  readonly #probeTimer: NodeJS.Timeout;
  #probesUnderWay = 0;
  #lastFailureAt = -Infinity;
  #state: 'unknown' | 'up' | 'down' = 'unknown';
  /** publishFailed counts probes as well, and reconnects the first connection too. */
  readonly counts = { publishFailed: 0, unreadable: 0, probesMissed: 0, reconnects: 0 };

  constructor(url: string, log: Log) {
    this.#log = log;
    // A command that cannot go out now fails now: what is late is found in the log sooner than Redis would bring it.
    const options = {
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 3000,
      retryStrategy: (attempt: number) => Math.min(100 * attempt, 1000) * (0.5 + Math.random() / 2),
    };
    // What is published in one turn of the event loop leaves together: a statement may have written hundreds of sends.
    this.#publisher = new Redis(url, { ...options, enableAutoPipelining: true });
    this.#subscriber = new Redis(url, options);
    for (const client of [this.#publisher, this.#subscriber]) {
      client.on('error', (error) => this.#failed('the connection to Redis failed', error));
      client.on('close', () => this.#failed('the connection to Redis was closed'));
    }
    this.#subscriber.on('ready', () => void this.#resubscribe());
    // The event target neither awaits nor catches what it asks of its clients, so it is handed clients that cannot fail.
    this.#target = createRedisEventTarget<CustomEvent<string>>({
      publishClient: { publish: (topic: string, text: string) => this.#publish(topic, text) } as unknown as Redis,
      subscribeClient: {
        on: (event: 'message', listener: (topic: string, text: string) => void) => this.#subscriber.on(event, listener),
        subscribe: (topic: string) => this.#add(topic),
        unsubscribe: (topic: string) => this.#remove(topic),
      } as unknown as Redis,
      serializer: { stringify: (text) => text as string, parse: (text) => text },
    });
    this.#target.addEventListener(this.#probeTopic, () => this.#answered());
    this.#probeTimer = setInterval(() => this.#probe(), probeIntervalMs);
    this.#probeTimer.unref();
  }

  get healthy(): boolean {
    return this.#state === 'up' && performance.now() - this.#lastFailureAt > convalescenceMs;
  }

  publish(entry: LogEntry): void {
    this.#target.dispatchEvent(new CustomEvent(topicOf(entry.roomId), { detail: writeEntry(entry) }));
  }

  async subscribe(roomId: string, listener: Listener): Promise<() => void> {
    const topic = topicOf(roomId);
    const onEvent = (event: CustomEvent<string>) => {
      const entry = typeof event.detail === 'string' ? readEntry(event.detail) : undefined;
      if (entry?.roomId === roomId) listener(entry);
      else this.counts.unreadable += 1;
    };
    this.#target.addEventListener(topic, onEvent);
    await this.#acknowledged.get(topic);
    return () => this.#target.removeEventListener(topic, onEvent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#probeTimer);
    for (const client of [this.#publisher, this.#subscriber]) {
      client.removeAllListeners('close');
      client.disconnect();
    }
  }

  #publish(topic: string, text: string): void {
    this.#publisher.publish(topic, text).catch((error: Error) => {
      this.counts.publishFailed += 1;
      this.#failed('an entry could not be published', error);
    });
  }

  #add(topic: string): void {
    this.#topics.add(topic);
    // Before `ready` a SUBSCRIBE is lost; the one that follows `ready` covers every topic.
    if (this.#subscriber.status === 'ready') this.#acknowledged.set(topic, this.#ask([topic]));
  }

  #remove(topic: string): void {
    this.#topics.delete(topic);
    this.#acknowledged.delete(topic);
    if (this.#subscriber.status === 'ready') this.#subscriber.unsubscribe(topic).catch(() => {});
  }

  async #resubscribe(): Promise<void> {
    this.counts.reconnects += 1;
    const topics = [...this.#topics];
    for (let from = 0; from < topics.length; from += topicsPerCommand) await this.#ask(topics.slice(from, from + topicsPerCommand));
    this.#probe();
  }

  /** Resolves when Redis has acknowledged, or has not in time. A subscription that failed is made again by reconnecting. */
  async #ask(topics: string[]): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#failed('Redis is slow to acknowledge a subscription');
      resolve();
    }, acknowledgeMs);
    const asked = this.#subscriber.subscribe(...topics).then(
      () => {},
      (error: Error) => {
        this.#failed('a room could not be subscribed to', error);
        if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true);
      },
    );
    await Promise.race([asked, late]);
    clearTimeout(timer);
  }

  // A Redis that is there but silent closes nothing and fails nothing: only what does not come back tells.
  #probe(): void {
    if (this.#probesUnderWay >= probesToMiss) {
      this.#probesUnderWay = 0;
      this.counts.probesMissed += 1;
      this.#failed('Redis does not answer');
      // `connect`: accepted, and not a word since. ioredis would wait for that for ever.
      for (const client of [this.#publisher, this.#subscriber]) if (['ready', 'connect'].includes(client.status)) client.disconnect(true);
    }
    this.#probesUnderWay += 1;
    if (this.#publisher.status === 'ready') this.#publish(this.#probeTopic, '1');
  }

  #answered(): void {
    this.#probesUnderWay = 0;
    if (this.#state === 'down') this.#log.info('Redis answers again');
    this.#state = 'up';
  }

  #failed(what: string, error?: Error): void {
    this.#lastFailureAt = performance.now();
    if (this.#state !== 'down') this.#log.warn({ error: error?.message }, `${what}: messages go on by way of the database, more slowly`);
    this.#state = 'down';
  }
}
