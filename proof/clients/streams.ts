// The protocols by which a watcher can be connected. Each asks again behind the last event when its connection is lost,
// until it is closed or the watcher has ended.

import type { Stream } from './stream.ts';
import { openGraphqlSse } from './stream-graphql-sse.ts';
import { openGraphqlWs } from './stream-graphql-ws.ts';
import { openBareSocket } from './stream-websocket.ts';
import type { Watcher } from './watcher.ts';

export const protocols = ['graphql-ws', 'graphql-sse', 'websocket'] as const;
export type Protocol = (typeof protocols)[number];

const open: Record<Protocol, (watcher: Watcher) => Stream> = {
  'graphql-ws': openGraphqlWs,
  'graphql-sse': openGraphqlSse,
  websocket: openBareSocket,
};

export const openStream = (protocol: Protocol, watcher: Watcher): Stream => open[protocol](watcher);
