// GraphQL Yoga with Pothos, its Redis event target and graphql-ws, as documented in
// https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions and https://pothos-graphql.dev/docs/guide.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import SchemaBuilder from '@pothos/core';
import type { ExecutionArgs, execute, subscribe } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createYoga } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { addMessage, type Message, type User } from './messages.ts';

const { PORT, REDIS_URL } = process.env as { PORT: string; REDIS_URL: string };

const publishClient = new Redis(REDIS_URL);
const subscribeClient = new Redis(REDIS_URL);
// A subscription before `ready` may receive nothing.
await Promise.all([once(publishClient, 'ready'), once(subscribeClient, 'ready')]);

const pubSub = createPubSub<{ messageAdded: [roomId: string, message: Message] }>({
  eventTarget: createRedisEventTarget({ publishClient, subscribeClient }),
});

const builder = new SchemaBuilder<{ DefaultFieldNullability: false }>({ defaultFieldNullability: false });

const UserType = builder.objectRef<User>('User').implement({
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name') }),
});

const MessageType = builder.objectRef<Message>('Message').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    roomId: t.exposeID('roomId'),
    body: t.exposeString('body'),
    createdAt: t.exposeString('createdAt'),
    sender: t.expose('sender', { type: UserType }),
  }),
});

builder.queryType({ fields: (t) => ({ hello: t.string({ resolve: () => 'world' }) }) });

builder.mutationType({
  fields: (t) => ({
    sendMessage: t.field({
      type: MessageType,
      args: { roomId: t.arg.id({ required: true }), body: t.arg.string({ required: true }) },
      resolve: async (_root, { roomId, body }) => {
        const message = await addMessage(roomId, body);
        pubSub.publish('messageAdded', roomId, message);
        return message;
      },
    }),
  }),
});

builder.subscriptionType({
  fields: (t) => ({
    messageAdded: t.field({
      type: MessageType,
      args: { roomId: t.arg.id({ required: true }) },
      subscribe: (_root, { roomId }) => pubSub.subscribe('messageAdded', roomId),
      resolve: (message) => message,
    }),
  }),
});

const yoga = createYoga({ schema: builder.toSchema() });
const httpServer = createServer(yoga);
const wsServer = new WebSocketServer({ server: httpServer, path: yoga.graphqlEndpoint });

type EnvelopedArgs = ExecutionArgs & { rootValue: { execute: typeof execute; subscribe: typeof subscribe } };

useServer(
  {
    execute: (args) => (args as EnvelopedArgs).rootValue.execute(args),
    subscribe: (args) => (args as EnvelopedArgs).rootValue.subscribe(args),
    onSubscribe: async (ctx, _id, params) => {
      const { request: req, socket } = ctx.extra;
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({ ...ctx, req, socket, params });
      const args: EnvelopedArgs = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  wsServer,
);

httpServer.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));

process.once('SIGTERM', () => process.exit(0));
