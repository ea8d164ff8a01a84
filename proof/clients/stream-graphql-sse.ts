// A watcher on the client `graphql-sse`, with one connection per stream. The client retries by itself and sends the same
// variables again. The fetch given to it handles what it does not: silent streams, and streams that are cut off.

import type { GraphQLFormattedError } from 'graphql';
import { type Client, createClient, NetworkError } from 'graphql-sse';
import { reasonOf } from './api.ts';
import { openTimeoutMs, retryWait, type Stream, subscribing } from './stream.ts';
import { Watchdog } from './watchdog.ts';
import type { Watcher } from './watcher.ts';

/** The server sends something every 12 s. */
const silenceMs = 15_000;

export function openGraphqlSse(watcher: Watcher): Stream {
  let gate = Promise.resolve();
  let openGate = () => {};
  let watchdog: Watchdog | undefined;
  let cut = () => {};
  let why = '';
  let refusal: readonly GraphQLFormattedError[] | undefined;

  // The client reports neither pings nor the errors of a refusal, and hangs if a stream ends in the middle of an event.
  const fetchWatched = async (url: string, init: RequestInit) => {
    const dead = new AbortController();
    const opening = setTimeout(() => dead.abort(new Error('not opened in time')), openTimeoutMs);
    refusal = undefined;
    cut = () => dead.abort(new Error('given up'));
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.any([init.signal as AbortSignal, dead.signal]) });
      if (!response.ok) refusal = ((await response.json()) as { errors?: GraphQLFormattedError[] }).errors;
      return { ok: response.ok, status: response.status, statusText: response.statusText, body: bytesOf(response, dead) };
    } catch (error) {
      why = reasonOf(error);
      throw error;
    } finally {
      clearTimeout(opening);
    }
  };
  const bytesOf = async function* (response: Response, dead: AbortController) {
    using mine = new Watchdog(silenceMs, () => dead.abort(new Error('silent')));
    watchdog = mine;
    try {
      for await (const chunk of response.body ?? []) {
        mine.received();
        await gate;
        yield chunk;
      }
      throw new NetworkError('ended without complete');
    } catch (error) {
      why = reasonOf(error);
      throw error instanceof NetworkError ? error : new NetworkError(error as Error);
    }
  };

  const client: Client = createClient({
    url: () => watcher.nextUrl(),
    headers: { authorization: `Bearer ${watcher.watch.token}` },
    fetchFn: fetchWatched,
    retryAttempts: Number.POSITIVE_INFINITY,
    // Called after the last event of the lost stream.
    async retry(): Promise<void> {
      if (refusal && watcher.refused(refusal) === 'end') return client.dispose();
      watcher.lost(why);
      await retryWait(watcher);
    },
    on: { connected: () => watcher.opened() },
  });
  const stop = subscribing(watcher, (sink) => client.subscribe(watcher.request, sink));
  const pause = (paused: boolean) => {
    openGate();
    if (paused) gate = new Promise((resolve) => (openGate = resolve));
    if (watchdog) watchdog.paused = paused;
  };
  return {
    pause,
    reconnect() {
      cut();
      pause(false);
    },
    close() {
      stop();
      openGate();
      client.dispose();
    },
  };
}
