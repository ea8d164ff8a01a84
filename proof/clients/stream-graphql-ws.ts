// A watcher on the client `graphql-ws`, which retries by itself and sends the same variables again.

import { openStockSocket } from './stock-socket.ts';
import { retryWait, type Stream, subscribing } from './stream.ts';
import type { Watcher } from './watcher.ts';

export function openGraphqlWs(watcher: Watcher): Stream {
  const socket = openStockSocket(watcher.watch.token, {
    url: () => watcher.nextUrl(),
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => retryWait(watcher),
    connected: () => watcher.opened(),
    closed: (why) => watcher.lost(why),
  });
  const stop = subscribing(watcher, (sink) => socket.client.subscribe(watcher.request, sink));
  return {
    pause: socket.pause,
    reconnect: socket.terminate,
    close() {
      stop();
      socket.dispose();
    },
  };
}
