// The servers that are measured.

import { type Contender, openToAll } from './contender.ts';
import { gapless } from './contenders/gapless.ts';
import { bare } from './load/protocols/bare.ts';
import { graphqlOverHttp, graphqlOverWebSocket, plainDialect } from './load/protocols/graphql.ts';
import { socketIo } from './load/protocols/socket-io.ts';

const programOf = (name: string) => ({ name, program: new URL(`./contenders/${name}.ts`, import.meta.url), ...openToAll });
const graphql = { webSocket: graphqlOverWebSocket(plainDialect), http: graphqlOverHttp(plainDialect) };

export const contenders: readonly Contender[] = [
  gapless,
  {
    ...programOf('yoga'),
    ...graphql,
    title: 'Yoga, Pothos, graphql-ws',
    packages: ['graphql-yoga', '@graphql-yoga/redis-event-target', '@pothos/core', 'graphql-ws', 'graphql'],
  },
  {
    ...programOf('apollo'),
    ...graphql,
    title: 'Apollo Server, graphql-ws',
    packages: ['@apollo/server', 'graphql-redis-subscriptions', 'graphql-ws', 'graphql'],
  },
  { ...programOf('mercurius'), ...graphql, title: 'Mercurius', packages: ['mercurius', 'mqemitter-redis', 'fastify', 'graphql'] },
  { ...programOf('socket-io'), webSocket: socketIo, title: 'Socket.IO', packages: ['socket.io', '@socket.io/redis-adapter'] },
  { ...programOf('ws'), webSocket: bare, title: 'a bare ws loop', packages: ['ws', 'ioredis'] },
];
