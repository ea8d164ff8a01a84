// Apollo Server with Express, graphql-ws and graphql-redis-subscriptions, as documented in
// https://www.apollographql.com/docs/apollo-server/data/subscriptions.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { expressMiddleware } from '@as-integrations/express5';
import { makeExecutableSchema } from '@graphql-tools/schema';
import cors from 'cors';
import express from 'express';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { addMessage, type SendMessage, typeDefs } from './messages.ts';

const { PORT, REDIS_URL } = process.env as { PORT: string; REDIS_URL: string };

const publisher = new Redis(REDIS_URL);
const subscriber = new Redis(REDIS_URL);
// A subscription before `ready` may receive nothing.
await Promise.all([once(publisher, 'ready'), once(subscriber, 'ready')]);

const pubsub = new RedisPubSub({ publisher, subscriber });

const resolvers = {
  Query: {
    hello: () => 'world',
  },
  Mutation: {
    sendMessage: async (_root: unknown, { roomId, body }: SendMessage) => {
      const message = await addMessage(roomId, body);
      void pubsub.publish(`messageAdded:${roomId}`, { messageAdded: message });
      return message;
    },
  },
  Subscription: {
    messageAdded: {
      subscribe: (_root: unknown, { roomId }: { roomId: string }) => pubsub.asyncIterator(`messageAdded:${roomId}`),
    },
  },
};

const schema = makeExecutableSchema({ typeDefs, resolvers });

const app = express();
const httpServer = createServer(app);
const wsServer = new WebSocketServer({ server: httpServer, path: '/graphql' });
const serverCleanup = useServer({ schema }, wsServer);

const server = new ApolloServer({
  schema,
  plugins: [
    ApolloServerPluginDrainHttpServer({ httpServer }),
    {
      serverWillStart: async () => ({
        drainServer: async () => {
          await serverCleanup.dispose();
        },
      }),
    },
  ],
});

await server.start();
app.use('/graphql', cors<cors.CorsRequest>(), express.json(), expressMiddleware(server));

httpServer.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
