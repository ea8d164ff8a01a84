// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in the form that Yoga gives them:
// `next` with a result, `complete` at the end. Each carries the cursor as its id, so a browser that reconnects resumes.

import type { ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { ResultStream } from '../schema/execute.ts';
import { encode } from './encode.ts';
import { endAt } from './expiry.ts';

/** The id of `complete`. A browser that comes back with it has been told everything, and is told so by a 204. */
export const completedId = 'complete';

const pingIntervalMs = 12_000;

export interface EventStreamEnds {
  /** Aborted when the server stops: the stream ends without `complete`, so that its client comes back. */
  readonly stopping: AbortSignal;
  /** When the token of whoever reads expires. The stream ends with UNAUTHENTICATED and without `complete`: with a new one, they go on. */
  readonly expiresAt: Date | undefined;
}

/**
 * Writes the results, one at a time: the next is asked for when the socket has taken the last. Resolves when the stream
 * or the connection has ended.
 */
export async function writeEventStream(response: ServerResponse, results: ResultStream, ends: EventStreamEnds): Promise<void> {
  const { stopping, expiresAt } = ends;
  if (response.destroyed) return void (await results.return());
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  const ping = setInterval(() => response.writableNeedDrain || response.writableEnded || response.write(':\n\n'), pingIntervalMs);
  const stop = () => response.end();
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  const forget =
    expiresAt &&
    endAt(expiresAt, () => {
      response.end(event('next', JSON.stringify({ errors: [expired()] })));
      void results.return();
    });
  response.once('close', () => {
    stopping.removeEventListener('abort', stop);
    forget?.();
    void results.return();
  });
  const write = async (text: string) => {
    if (!response.writableEnded && !response.write(text)) await drained(response);
  };
  try {
    const start = results.cursor?.();
    await write(start === undefined ? ':\n\n' : `id: ${start}\n\n`);
    for await (const result of results) await write(event('next', encode(result), results.cursor?.()));
  } catch (error) {
    await write(event('next', JSON.stringify({ errors: [error] })));
  } finally {
    clearInterval(ping);
  }
  if (!response.writableEnded) response.end(event('complete', '', completedId));
}

const expired = () => new GraphQLError('The token has expired: get a new one.', { extensions: { code: 'UNAUTHENTICATED' } });

/** Resolves when the response can take more, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    if (response.destroyed) settle();
    else response.once('drain', settle).once('close', settle);
  });
}

/** One result, as a stream of one. */
export async function* once(result: ExecutionResult): ResultStream {
  yield result;
}

const event = (name: string, data: string, id?: string) => `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
