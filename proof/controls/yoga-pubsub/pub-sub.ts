// The pub/sub of Yoga over Redis, as in its documentation:
// https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions#distributed-pubsub-for-production

import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import { createPubSub } from 'graphql-yoga';
import { Redis } from 'ioredis';
import type { LogEntry } from '../../../src/storage/room-log.ts';

const url = process.env['REDIS_URL'];
if (url === undefined) throw new Error('REDIS_URL is not set: this control is about Redis.');

const publishClient = new Redis(url);
const subscribeClient = new Redis(url);

export const pubSub = createPubSub<{ room: [roomId: string, entry: LogEntry] }>({
  eventTarget: createRedisEventTarget({ publishClient, subscribeClient }),
});
