// The transport of subscriptions: a WebSocket, or server-sent events in a network that blocks WebSockets.

import { eventStreams, type Sink, type Subscriber } from 'gapless/client';
import { createClient } from 'graphql-ws/client';
import type { ApiOptions } from './api.ts';
import { endpoint } from './endpoint.ts';

const pingEveryMs = 10_000;
const openWithinMs = 10_000;
/** An unused socket closes after this time. */
const idleMs = 15_000;
/** Consecutive sockets that fail to open, the last one after HTTP was seen to work, before server-sent events are used. */
const failuresBeforeFallback = 2;
const forbidden = 4403;

export function openStreams({ token, viewerId, onRefused }: ApiOptions): { subscriber: Subscriber; close: () => void } {
  let failures = 0;
  /** Whether HTTP worked after the last socket that failed. */
  let httpWorks = false;
  let connected = false;
  let fallenBack = false;

  const sockets = createClient({
    url: endpoint.replace('http', 'ws'),
    lazy: true,
    lazyCloseTimeout: idleMs,
    retryAttempts: 0,
    keepAlive: pingEveryMs,
    connectionAckWaitTimeout: openWithinMs,
    connectionParams: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(viewerId === undefined ? {} : { viewerId }),
    },
    on: {
      connected: () => {
        connected = true;
        failures = 0;
        httpWorks = false;
      },
      closed: (event) => {
        if ((event as CloseEvent).code === forbidden) onRefused(event);
        else if (!connected) void countFailure();
        connected = false;
      },
    },
  });
  const headers: Record<string, string> = viewerId === undefined ? {} : { 'gapless-viewer': viewerId };
  const events = eventStreams({ url: endpoint, token: () => token, headers: () => headers });

  async function countFailure(): Promise<void> {
    failures += 1;
    // While the whole server is away, both fail.
    if (httpWorks) fallenBack = true;
    if (failures < failuresBeforeFallback - 1 || fallenBack) return;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(endpoint, { method: 'POST', headers, body: '{"query":"{ __typename }"}' }).catch(() => undefined);
    httpWorks = answer?.ok === true && !connected;
  }

  // When the network changes, an open socket may be dead without an event.
  const onNetworkChange = () => sockets.terminate();
  window.addEventListener('online', onNetworkChange);
  window.addEventListener('offline', onNetworkChange);
  return {
    // Passes on all methods of the graphql-ws client: the kit terminates the socket if its pings are not answered.
    subscriber: { ...sockets, subscribe: (payload: never, sink: Sink) => (fallenBack ? events : sockets).subscribe(payload, sink) },
    close() {
      window.removeEventListener('online', onNetworkChange);
      window.removeEventListener('offline', onNetworkChange);
      void sockets.dispose();
    },
  };
}
