// The protocols over which a watcher can be connected. Each subscribes again after the last event when its connection is
// lost, until it is closed or the watcher has ended.

import type { Stream } from './stream.ts';
import { openGraphqlSse } from './stream-graphql-sse.ts';
import { openGraphqlWs } from './stream-graphql-ws.ts';
import { openKitEventStream, openKitSocket } from './stream-kit.ts';
import { openWebSocket } from './stream-websocket.ts';
import type { Watcher } from './watcher.ts';

export const protocols = ['graphql-ws', 'graphql-sse', 'websocket', 'kit-ws', 'kit-sse'] as const;
export type Protocol = (typeof protocols)[number];

const open: Record<Protocol, (watcher: Watcher) => Stream> = {
  'graphql-ws': openGraphqlWs,
  'graphql-sse': openGraphqlSse,
  websocket: openWebSocket,
  'kit-ws': openKitSocket,
  'kit-sse': openKitEventStream,
};

export const openStream = (protocol: Protocol, watcher: Watcher): Stream => open[protocol](watcher);
