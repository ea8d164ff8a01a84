// A watcher on a bare WebSocket, which speaks graphql-transport-ws by hand: cheap, and without the retries of a library.

import { openBareSocket } from './bare-socket.ts';
import type { Stream } from './stream.ts';
import type { Watcher } from './watcher.ts';

export const openWebSocket = (watcher: Watcher): Stream =>
  openBareSocket(watcher, {
    ready: (send) => send({ id: '1', type: 'subscribe', payload: watcher.request }),
    next: (payload) => watcher.take(payload),
  });
