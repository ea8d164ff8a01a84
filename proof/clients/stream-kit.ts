// Watchers on the client kit (`gapless/client`), which resumes by itself: over graphql-ws, and over server-sent events.

import { eventStreams, type Payload, type ResumableSink, resumable, type Subscriber } from '../../src/client/index.ts';
import { codeOf, reasonOf } from './api.ts';
import { openStockSocket } from './stock-socket.ts';
import { openTimeoutMs, type Stream } from './stream.ts';
import type { Watcher } from './watcher.ts';

const backoff = { firstMs: 100, maxMs: 1000 };
/** The server sends something every 12 s. */
const silenceMs = 15_000;

export function openKitSocket(watcher: Watcher): Stream {
  let connected = false;
  const socket = openStockSocket(watcher.watch.token, {
    url: () => watcher.nextUrl(),
    retryAttempts: 0,
    connected() {
      connected = true;
      watcher.opened();
    },
    closed(why) {
      connected = false;
      watcher.lost(why);
    },
  });
  const { client } = socket;
  const stop = subscribe(watcher, {
    // `on` and `terminate` are what the kit needs to end a connection that does not answer its pings.
    ...client,
    subscribe(payload: Payload, sink: ResumableSink) {
      if (connected) watcher.opened();
      return client.subscribe(payload as Parameters<typeof client.subscribe>[0], sink as never);
    },
  });
  return {
    pause: socket.pause,
    reconnect: socket.terminate,
    close() {
      stop();
      socket.dispose();
    },
  };
}

export function openKitEventStream(watcher: Watcher): Stream {
  let cut = new AbortController();
  const open: typeof fetch = async (url, init) => {
    cut = new AbortController();
    const { signal } = cut;
    const opening = setTimeout(() => cut.abort(new Error('not opened in time')), openTimeoutMs);
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.any([signal, init?.signal as AbortSignal]) });
      if (response.ok) watcher.opened();
      return response;
    } finally {
      clearTimeout(opening);
    }
  };
  const { token } = watcher.watch;
  const stop = subscribe(watcher, {
    subscribe: (payload: Payload, sink: ResumableSink) =>
      eventStreams({ url: watcher.nextUrl(), token: () => token, fetch: open, silenceMs }).subscribe(payload, sink),
  });
  return {
    pause() {
      throw new Error('The event stream of the kit cannot be paused.');
    },
    reconnect: () => cut.abort(new Error('given up')),
    close: stop,
  };
}

function subscribe(watcher: Watcher, subscriber: Subscriber): () => void {
  const reasonText = (error: unknown) => (Array.isArray(error) ? codeOf(error) : error instanceof Error ? reasonOf(error) : 'closed');
  return resumable(subscriber, { backoff, onBreak: (error) => watcher.lost(reasonText(error)) }).subscribe(watcher.request, {
    next: (result) => void watcher.take(result),
    error: (error) => void watcher.failed(reasonText(error)),
    complete: () => void watcher.completed(),
  });
}
