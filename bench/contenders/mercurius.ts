// Mercurius on Fastify with mqemitter-redis, as documented in https://mercurius.dev/#/docs/subscriptions. `fullWsTransport` allows
// mutations over the WebSocket. It does not change how subscriptions are served.

import { once } from 'node:events';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import mercurius from 'mercurius';
import redis from 'mqemitter-redis';
import { addMessage, type SendMessage, typeDefs } from './messages.ts';

const { PORT, REDIS_URL } = process.env as { PORT: string; REDIS_URL: string };

// The options with which mqemitter-redis opens connections itself.
const options = { enableAutoPipelining: true };
const subConn = new Redis(REDIS_URL, options);
const pubConn = new Redis(REDIS_URL, options);
// A subscription before `ready` would end the process.
await Promise.all([once(subConn, 'ready'), once(pubConn, 'ready')]);

const emitter = redis({ subConn, pubConn });

const app = Fastify();

const resolvers = {
  Query: {
    hello: () => 'world',
  },
  Mutation: {
    sendMessage: async (_root: unknown, { roomId, body }: SendMessage, { pubsub }: mercurius.MercuriusContext) => {
      const message = await addMessage(roomId, body);
      await pubsub.publish({ topic: `messageAdded:${roomId}`, payload: { messageAdded: message } });
      return message;
    },
  },
  Subscription: {
    messageAdded: {
      subscribe: (_root: unknown, { roomId }: { roomId: string }, { pubsub }: mercurius.MercuriusContext) =>
        pubsub.subscribe(`messageAdded:${roomId}`),
    },
  },
};

await app.register(mercurius, { schema: typeDefs, resolvers, subscription: { emitter, fullWsTransport: true } });
await app.listen({ host: '127.0.0.1', port: Number(PORT) });
console.log('ready');

process.once('SIGTERM', () => process.exit(0));
