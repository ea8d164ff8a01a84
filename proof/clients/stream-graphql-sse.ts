// A watcher on the client `graphql-sse`, a connection for each stream. It retries by itself, and sends the same variables
// again; around its fetch stands what it does not see to: a stream that is silent, or that ends in the middle.

import type { GraphQLFormattedError } from 'graphql';
import { type Client, createClient, NetworkError } from 'graphql-sse';
import { reasonOf } from './api.ts';
import { openTimeoutMs, retryWait, type Stream, subscribing } from './stream.ts';
import { Watchdog } from './watchdog.ts';
import type { Watcher } from './watcher.ts';

/** The server says something each 12 s. */
const silenceMs = 15_000;

export function openGraphqlSse(watcher: Watcher): Stream {
  let gate = Promise.resolve();
  let openGate = () => {};
  let watchdog: Watchdog | undefined;
  let cut = () => {};
  let why = '';
  let refusal: readonly GraphQLFormattedError[] | undefined;

  // The client shows neither pings nor what a refusal says, and hangs where a stream ends in the middle of an event.
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
        mine.heard();
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
    // Called behind the last event of the stream that was lost.
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
