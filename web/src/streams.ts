// What streams go through: a WebSocket, or server-sent events in a network that lets no WebSocket pass.

import { eventStreams, type Sink, type Subscriber } from 'gapless/client';
import { createClient } from 'graphql-ws/client';
import type { ApiOptions } from './api.ts';

const path = '/graphql';
const pingEveryMs = 10_000;
const openWithinMs = 10_000;
/** How long an unused socket stays open for the next room. */
const idleMs = 15_000;
/** Sockets that fail to open, one after the other, while HTTP passes. */
const failuresBeforeFallback = 2;
const forbidden = 4403;

export function openStreams({ token, onRefused }: ApiOptions): { subscriber: Subscriber; close: () => void } {
  let failures = 0;
  let connected = false;
  let fallenBack = false;

  const sockets = createClient({
    url: () => `${location.origin.replace('http', 'ws')}${path}`,
    lazy: true,
    lazyCloseTimeout: idleMs,
    retryAttempts: 0,
    keepAlive: pingEveryMs,
    connectionAckWaitTimeout: openWithinMs,
    connectionParams: token === undefined ? {} : { authorization: `Bearer ${token}` },
    on: {
      connected: () => {
        connected = true;
        failures = 0;
      },
      closed: (event) => {
        if ((event as CloseEvent).code === forbidden) onRefused();
        else if (!connected) void countFailure();
        connected = false;
      },
    },
  });
  const events = eventStreams({ url: path, token: () => token });

  async function countFailure(): Promise<void> {
    failures += 1;
    if (failures < failuresBeforeFallback || fallenBack) return;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(path, { method: 'POST', headers, body: '{"query":"{ __typename }"}' }).catch(() => undefined);
    if (answer?.ok && !connected) fallenBack = true;
  }

  // A socket outlives the network that it went through, and says nothing of it.
  const onNetworkChange = () => sockets.terminate();
  window.addEventListener('online', onNetworkChange);
  window.addEventListener('offline', onNetworkChange);
  return {
    // With all that a client of graphql-ws has: the kit ends it where its pings are not answered.
    subscriber: { ...sockets, subscribe: (payload: never, sink: Sink) => (fallenBack ? events : sockets).subscribe(payload, sink) },
    close() {
      window.removeEventListener('online', onNetworkChange);
      window.removeEventListener('offline', onNetworkChange);
      void sockets.dispose();
    },
  };
}
