// Subscriptions over server-sent events that are read with fetch, for networks that block WebSockets. Every failure of a
// stream is reported to `error` of the sink, once.

import { EventStreamParser } from './event-stream-parser.ts';
import { callListener } from './listener.ts';
import type { Payload, Result, Sink, Subscriber } from './subscriber.ts';

export interface EventStreamOptions {
  /** The GraphQL endpoint. */
  readonly url: string;
  /** Returns the token. Called for each stream. Without a token, the cookie of the page authenticates the viewer. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Returns further headers, such as `gapless-viewer`. Called for each stream. */
  readonly headers?: (() => Record<string, string>) | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * A stream that receives nothing for this long fails, in milliseconds. Default: 30,000. The server sends something every
   * 12 s.
   */
  readonly silenceMs?: number | undefined;
}

const defaultSilenceMs = 30_000;

/** Reason of an abort after which the sink is not called any more. */
const ended = new Error('The subscription was ended.');

/** Subscribes over server-sent events. Pass it to `resumable()`: by itself, it ends with an error when a stream breaks. */
export const eventStreams = (options: EventStreamOptions): Subscriber => ({
  subscribe(payload: Payload, sink: Sink) {
    const controller = new AbortController();
    const { signal } = controller;
    const finish = (report: () => void) => {
      if (signal.reason === ended) return;
      controller.abort(ended);
      callListener(report);
    };
    // `token` and `fetch` of an application may ignore the signal, or never settle.
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    Promise.race([readStream(payload, sink, options, controller), aborted]).then(
      () => finish(() => sink.complete()),
      (error: unknown) => finish(() => sink.error(error)),
    );
    return () => controller.abort(ended);
  },
});

/** Resolves at the event `complete`. */
async function readStream(payload: Payload, sink: Sink, options: EventStreamOptions, controller: AbortController): Promise<void> {
  const { silenceMs = defaultSilenceMs } = options;
  const { signal } = controller;
  const watchSilence = () => setTimeout(() => controller.abort(new Error(`The stream received nothing for ${silenceMs} ms.`)), silenceMs);
  let silence = watchSilence();
  signal.addEventListener('abort', () => clearTimeout(silence), { once: true });
  const body = await openStream(payload, options, signal);
  const reader = body.getReader();
  // The application's own `fetch` may ignore the signal.
  signal.addEventListener('abort', () => void reader.cancel().catch(() => {}), { once: true });
  if (signal.aborted) return void (await reader.cancel());
  const decoder = new TextDecoder();
  const parser = new EventStreamParser();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    if (signal.aborted) return;
    clearTimeout(silence);
    silence = watchSilence();
    for (const { name, data } of parser.push(decoder.decode(chunk.value, { stream: true }))) {
      if (name === 'complete') return;
      if (name === 'next') {
        const result = JSON.parse(data) as Result;
        callListener(() => sink.next(result));
      }
      if (signal.aborted) return;
    }
  }
  throw new Error('The stream ended without `complete`.');
}

async function openStream(payload: Payload, options: EventStreamOptions, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const token = await options.token?.();
  signal.throwIfAborted();
  const response = await (options.fetch ?? fetch)(options.url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...options.headers?.(),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(payload),
    signal,
  });
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
  if (!response.ok || !isStream || !response.body) throw await refusalOf(response);
  return response.body;
}

/** The GraphQL errors of a response that is not an event stream, or an Error if it comes from something else, such as a proxy. */
async function refusalOf(response: Response): Promise<unknown> {
  try {
    const { errors } = (await response.json()) as { errors?: unknown };
    if (Array.isArray(errors)) return errors;
  } catch {
    // The body is no JSON, or was cut off.
  }
  return new Error(`The server answered ${response.status} without an event stream.`);
}
