// Subscriptions as server-sent events, read by fetch: for networks where a WebSocket does not pass.

import type { Payload, Sink, Subscriber } from './subscriber.ts';

export interface EventStreamOptions {
  /** The GraphQL endpoint. */
  readonly url: string;
  /** The token for the next stream. Without one, the cookie speaks for itself. Asked for anew at every try. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** A stream of which nothing is heard for so long, in milliseconds, has died: the server says something every 12 s. */
  readonly silenceMs?: number | undefined;
}

const defaultSilenceMs = 30_000;

/** Subscribes over SSE. Hand it to `resumable()`: by itself a stream that breaks is an error. */
export const eventStreams = (options: EventStreamOptions): Subscriber => ({
  subscribe(payload: Payload, sink: Sink) {
    const controller = new AbortController();
    read(payload, sink, options, controller).catch((error: unknown) => {
      if (controller.signal.aborted && controller.signal.reason === ended) return;
      controller.abort();
      sink.error(error);
    });
    return () => controller.abort(ended);
  },
});

const ended = new Error('The subscription was ended.');

async function read(payload: Payload, sink: Sink, options: EventStreamOptions, controller: AbortController): Promise<void> {
  const { url, silenceMs = defaultSilenceMs } = options;
  const { signal } = controller;
  const listen = () => setTimeout(() => controller.abort(new Error(`Nothing was heard of the stream for ${silenceMs} ms.`)), silenceMs);
  let silence = listen();
  try {
    const token = await options.token?.();
    const response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(payload),
      signal,
    });
    if (!response.ok || !response.body) throw await refusalOf(response);
    const decoder = new TextDecoder();
    let text = '';
    const reader = response.body.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      clearTimeout(silence);
      silence = listen();
      const events = (text + decoder.decode(chunk.value, { stream: true })).split('\n\n');
      text = events.pop() as string;
      for (const event of events) {
        if (signal.aborted) return;
        const { name, data } = parse(event);
        if (name === 'next') sink.next(JSON.parse(data));
        if (name === 'complete') return sink.complete();
      }
    }
    throw new Error('The stream was cut off.');
  } finally {
    clearTimeout(silence);
  }
}

/** One event (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation), as far as it concerns us. */
function parse(event: string): { name: string; data: string } {
  let name = '';
  let data = '';
  for (const line of event.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice('event: '.length);
    if (line.startsWith('data: ')) data += line.slice('data: '.length);
  }
  return { name, data };
}

/** The errors that the server gives where it refuses; something of another shape where it is not the server that speaks. */
async function refusalOf(response: Response): Promise<unknown> {
  try {
    const { errors } = (await response.json()) as { errors?: unknown };
    if (Array.isArray(errors)) return errors;
  } catch {
    // A proxy’s page, or an answer that was cut off.
  }
  return new Error(`The server answered ${response.status}.`);
}
