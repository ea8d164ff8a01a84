// Failures of Redis. No send may fail because of them, and the head check finds what Redis lost.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pick } from '../../tests/support/random.ts';
import type { RigNode } from '../rig/node.ts';
import { countEffect, repeatedly, seconds } from './effect.ts';
import type { Fault, FaultContext } from './fault.ts';

/** Heads are checked each second while Redis is away. */
const awayDelayMs = 2500;
/** Heads are checked every 5 s until the silence is noticed. */
const silentDelayMs = 7000;

export const redisKilled = ({ lastsMs = 30_000 } = {}): Fault => ({
  name: `Redis killed for ${seconds(lastsMs)}`,
  maxDelayMs: awayDelayMs,
  inject: (context) =>
    countEffect(context, 'entries that could not be published', ['redis.publishFailed'], () => without(context, () => sleep(lastsMs))),
});

export const redisAbsent = ({ lastsMs = 60_000 } = {}): Fault => ({
  name: `Redis absent for ${seconds(lastsMs)}, also when a node starts`,
  inject: (context) =>
    countEffect(context, 'entries that could not be published', ['redis.publishFailed'], () =>
      without(context, async () => {
        const node = pick(context.rig.nodes, context.random);
        const over = sleep(lastsMs);
        await sleep(lastsMs / 4);
        await node.drain();
        await node.start();
        await over;
      }),
    ),
});

export const redisSilent = ({ lastsMs = 30_000 } = {}): Fault => ({
  name: `Redis silent for ${seconds(lastsMs)}`,
  maxDelayMs: silentDelayMs,
  inject: (context) =>
    countEffect(context, 'probes that did not come back', ['redis.probesMissed'], async () => {
      context.rig.redis.signal('SIGSTOP');
      await sleep(lastsMs).finally(() => context.rig.redis.signal('SIGCONT'));
    }),
});

/** The nodes keep nothing in Redis, so it is first filled with keys. */
export const redisFlushed = ({ times = 5, keys = 50_000 } = {}): Fault => ({
  name: 'Redis flushed',
  maxDelayMs: silentDelayMs,
  inject: (context) =>
    withRedis(context, async (redis) => {
      let forgotten = 0;
      for (let time = 0; time < times; time += 1) {
        await redis.eval(`for i = 1, ${keys} do redis.call('set', 'key' .. i, i) end`, 0);
        forgotten += await redis.dbsize();
        await redis.flushall('SYNC');
        await sleep(500);
      }
      return { figure: 'keys that were flushed', count: forgotten };
    }),
});

export const redisSubscribersCut = ({ lastsMs = 20_000, everyMs = 500 } = {}): Fault => ({
  name: `Redis cuts its subscribers every ${seconds(everyMs)}`,
  maxDelayMs: awayDelayMs,
  inject: (context) =>
    withRedis(context, async (redis) => {
      let cut = 0;
      await repeatedly(lastsMs, everyMs, async () => {
        cut += Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      });
      return { figure: 'subscribers that were cut', count: cut };
    }),
});

/** One node neither receives nor publishes anything: its link loses everything, or refuses connections. */
export const nodeCutOffFromRedis = ({ lastsMs = 20_000 } = {}): Fault => ({
  name: `one node cut off from Redis for ${seconds(lastsMs)}`,
  maxDelayMs: silentDelayMs,
  inject: (context) =>
    countEffect(context, 'probes and entries that were lost', ['redis.probesMissed', 'redis.publishFailed'], async () => {
      const { redis } = (pick(context.rig.nodes, context.random) as RigNode).links;
      const refusing = context.random() < 0.5;
      redis.impair(refusing ? { refusing } : { droppingAll: true });
      if (refusing) redis.reset();
      await sleep(lastsMs);
      redis.heal();
    }),
});

/** Larger than what Redis sends without checking the limit (16 KiB). */
const largeBytes = 256 * 1024;

/** Redis disconnects a subscriber whose output buffer exceeds the limit: a large message every `everyMs` does so. */
export const redisBuffersTiny = ({ lastsMs = 20_000, everyMs = 500 } = {}): Fault => ({
  name: 'Redis with tiny output buffers',
  maxDelayMs: awayDelayMs,
  inject: (context) =>
    countEffect(context, 'subscribers that Redis cut', ['redis.reconnects'], () =>
      withRedis(context, async (redis) => {
        await redis.config('SET', 'client-output-buffer-limit', 'pubsub 1024 1024 0');
        await repeatedly(lastsMs, everyMs, async () => {
          for (const topic of await topics(redis)) await redis.publish(topic, 'x'.repeat(largeBytes));
        });
        await redis.config('SET', 'client-output-buffer-limit', 'pubsub 33554432 8388608 60');
      }),
    ),
});

/** Commands that make Redis refuse clients, and admit them again. */
const refusals: Record<string, { refuse: string[]; admit: string[] }> = {
  'too many clients': { refuse: ['CONFIG', 'SET', 'maxclients', '1'], admit: ['CONFIG', 'SET', 'maxclients', '10000'] },
  'a password': { refuse: ['CONFIG', 'SET', 'requirepass', 'unknown'], admit: ['CONFIG', 'SET', 'requirepass', ''] },
  'no right to any channel': {
    refuse: ['ACL', 'SETUSER', 'default', 'resetchannels'],
    admit: ['ACL', 'SETUSER', 'default', 'allchannels'],
  },
};

/** Redis answers with errors, each time for one of these reasons. */
export const redisRefusing = ({ lastsMs = 15_000 } = {}): Fault => ({
  name: `Redis refusing for ${seconds(lastsMs)}`,
  maxDelayMs: awayDelayMs,
  async inject(context) {
    const [reason, { refuse, admit }] = pick(Object.entries(refusals), context.random);
    return countEffect(context, `connections and entries refused (${reason})`, ['links.redis.connections', 'redis.publishFailed'], () =>
      withRedis(context, async (redis) => {
        const [command, ...args] = refuse as [string, ...string[]];
        await redis.call(command, ...args);
        for (const type of ['normal', 'pubsub']) await redis.call('CLIENT', 'KILL', 'TYPE', type);
        await sleep(lastsMs);
        const [back, ...to] = admit as [string, ...string[]];
        await redis.call(back, ...to);
      }),
    );
  },
});

/** The topics that nodes are subscribed to. */
export async function topics(redis: Redis): Promise<string[]> {
  return (await redis.call('PUBSUB', 'CHANNELS', 'gapless:*')) as string[];
}

/** Runs `work` with a connection of its own. */
export async function withRedis<T>({ rig }: FaultContext, work: (redis: Redis) => Promise<T>): Promise<T> {
  using connected = await rig.connectRedis();
  return await work(connected.redis);
}

async function without({ rig: { redis } }: FaultContext, work: () => Promise<unknown>): Promise<void> {
  await redis.stop('SIGKILL');
  await work().finally(() => redis.start());
}
