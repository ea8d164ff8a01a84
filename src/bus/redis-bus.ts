// The bus of a cluster: Redis pub/sub. A node subscribes once to the topic of each room that it watches. Redis may be away,
// restart, forget or be silent: entries are lost then, `healthy` says so, and the bus recovers by itself. In Redis, the name of a
// topic begins with the id of the database, so that nodes of a copy of it hear nothing of the original.

import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { type Clock, every, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { redisPrefixOf, type SharedRedis } from '../storage/database-identity.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { Bus, Listener, WakeTopic } from './bus.ts';
import { openEventTarget, type RedisEventTarget } from './event-target.ts';
import { readEntry, writeEntry } from './wire.ts';

/** How often the node publishes to itself, and how many of these messages may be missing before it reconnects. */
const probeIntervalMs = 1500;
const maxMissing = 2;
/** How long after a failure entries may still be lost. */
const recoveryMs = 5000;
/** Maximum wait for the acknowledgement of a subscription. After that, the head check finds entries that it misses. */
const acknowledgeMs = 1000;
/** Topics in one SUBSCRIBE when all are subscribed to again. */
const topicsPerCommand = 500;

const topicOf = (roomId: string) => `room:${roomId}`;
const wakeTopicOf = (topic: WakeTopic) => `wake:${topic}`;

export class RedisBus implements Bus {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #databaseId: () => string;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #target: RedisEventTarget;
  readonly #topics = new Set<string>();
  readonly #acknowledged = new Map<string, Promise<unknown>>();
  readonly #probeTopic = `probe:${randomUUID()}`;
  readonly #probeTimer: Disposable;
  /** What the names of the topics begin with in Redis. */
  #prefix: string;
  #missing = 0;
  #lastFailureAtMs = -Infinity;
  #state: 'unknown' | 'up' | 'down' = 'unknown';
  /** Counters for operators. publishFailed includes probes, and reconnects the first connection. */
  readonly counts = { publishFailed: 0, unreadable: 0, probesMissed: 0, reconnects: 0 };

  constructor({ url, databaseId }: SharedRedis, log: Log, clock: Clock = realClock) {
    this.#log = log;
    this.#clock = clock;
    this.#databaseId = databaseId;
    this.#prefix = redisPrefixOf(databaseId());
    // A command that cannot be sent now fails now: an entry that is late is found in the log before Redis would bring it.
    const options = {
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 3000,
      retryStrategy: (attempt: number) => Math.min(100 * attempt, 1000) * (0.5 + Math.random() / 2),
    };
    // What is published in one turn of the event loop is sent together: a statement may have written hundreds of sends.
    this.#publisher = new Redis(url, { ...options, enableAutoPipelining: true });
    this.#subscriber = new Redis(url, options);
    for (const client of [this.#publisher, this.#subscriber]) {
      client.on('error', (error) => this.#failed('the connection to Redis failed', error));
      client.on('close', () => this.#failed('the connection to Redis was closed'));
    }
    this.#subscriber.on('ready', () => void this.#resubscribe());
    // If the subscriber was ready before the publisher, its first probe was not published.
    this.#publisher.on('ready', () => this.#publish(this.#probeTopic, '1'));
    this.#target = openEventTarget({
      publish: (topic, text) => this.#publish(topic, text),
      subscribe: (topic) => this.#add(topic),
      unsubscribe: (topic) => this.#remove(topic),
      onMessage: (listener) =>
        void this.#subscriber.on('message', (name: string, text: string) => {
          // Until the connection is replaced, messages arrive on the topics of the former id.
          if (name.startsWith(this.#prefix)) listener(name.slice(this.#prefix.length), text);
        }),
    });
    this.#target.listen(this.#probeTopic, () => this.#answered());
    this.#probeTimer = every(clock, probeIntervalMs, () => this.#probe());
  }

  get healthy(): boolean {
    return this.#state === 'up' && this.#clock.now() - this.#lastFailureAtMs > recoveryMs;
  }

  publish(entry: LogEntry): void {
    this.#target.publish(topicOf(entry.roomId), writeEntry(entry));
  }

  async subscribe(roomId: string, listener: Listener): Promise<() => void> {
    const topic = topicOf(roomId);
    const stop = this.#target.listen(topic, (text) => {
      const entry = readEntry(text);
      if (entry?.roomId === roomId) listener(entry);
      else this.counts.unreadable += 1;
    });
    await this.#acknowledged.get(topic);
    return stop;
  }

  wake(topic: WakeTopic): void {
    this.#target.publish(wakeTopicOf(topic), '1');
  }

  onWake(topic: WakeTopic, listener: () => void): () => void {
    return this.#target.listen(wakeTopicOf(topic), () => listener());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#probeTimer[Symbol.dispose]();
    for (const client of [this.#publisher, this.#subscriber]) {
      client.removeAllListeners('close');
      client.disconnect();
    }
  }

  #publish(topic: string, text: string): void {
    this.#publisher.publish(this.#prefix + topic, text).catch((error: Error) => {
      this.counts.publishFailed += 1;
      this.#failed('an entry could not be published', error);
    });
  }

  #add(topic: string): void {
    this.#topics.add(topic);
    // Before `ready`, a SUBSCRIBE is lost. The one that follows `ready` is for every topic.
    if (this.#subscriber.status === 'ready') this.#acknowledged.set(topic, this.#subscribe([topic]));
  }

  #remove(topic: string): void {
    this.#topics.delete(topic);
    this.#acknowledged.delete(topic);
    if (this.#subscriber.status === 'ready') this.#subscriber.unsubscribe(this.#prefix + topic).catch(() => {});
  }

  async #resubscribe(): Promise<void> {
    this.counts.reconnects += 1;
    const topics = [...this.#topics];
    for (let from = 0; from < topics.length; from += topicsPerCommand) {
      // A room may have been left while the earlier commands were sent.
      const wanted = topics.slice(from, from + topicsPerCommand).filter((topic) => this.#topics.has(topic));
      if (wanted.length > 0) await this.#subscribe(wanted);
    }
    this.#probe();
  }

  /** Resolves when Redis has acknowledged, or has not in time. A subscription that failed is made again by reconnecting. */
  async #subscribe(topics: string[]): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(acknowledgeMs, () => {
      this.#failed('Redis is slow to acknowledge a subscription');
      resolve();
    });
    const acknowledged = this.#subscriber.subscribe(...topics.map((topic) => this.#prefix + topic)).then(
      () => {},
      (error: Error) => {
        this.#failed('a room could not be subscribed to', error);
        if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true);
      },
    );
    await Promise.race([acknowledged, late]);
  }

  // A Redis that is silent closes no connection and fails no command. Only messages that do not come back show it.
  #probe(): void {
    this.#followDatabase();
    if (this.#missing >= maxMissing) {
      this.#missing = 0;
      this.counts.probesMissed += 1;
      this.#failed('Redis does not answer');
      // `connect` means that TCP is connected but Redis has not answered. ioredis would wait without limit.
      for (const client of [this.#publisher, this.#subscriber]) if (['ready', 'connect'].includes(client.status)) client.disconnect(true);
    }
    this.#missing += 1;
    if (this.#publisher.status === 'ready') this.#publish(this.#probeTopic, '1');
  }

  /** Subscribes to every topic by its new name after the id of the database was renewed. */
  #followDatabase(): void {
    const prefix = redisPrefixOf(this.#databaseId());
    if (prefix === this.#prefix) return;
    this.#prefix = prefix;
    this.#failed('the id of the database was renewed');
    if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true);
  }

  #answered(): void {
    this.#missing = 0;
    if (this.#state === 'down') this.#log.info('Redis answers again');
    this.#state = 'up';
  }

  #failed(what: string, error?: Error): void {
    this.#lastFailureAtMs = this.#clock.now();
    if (this.#state !== 'down') this.#log.warn({ error: error?.message }, `${what}: entries reach other nodes through the database, later`);
    this.#state = 'down';
  }
}
