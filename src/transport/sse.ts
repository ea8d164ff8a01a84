// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in the form that Yoga gives them:
// `next` with a result, `complete` at the end. Each carries the cursor as its id, so a browser that reconnects resumes.

import type { ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { ResultStream } from '../schema/execute.ts';
import type { Connection } from './connection.ts';
import { encode } from './encode.ts';
import { endAt } from './expiry.ts';

/** The id of `complete`. A browser that comes back with it has been told everything, and is told so by a 204. */
export const completedId = 'complete';

const pingIntervalMs = 12_000;

/**
 * Writes the results, one at a time: the next is asked for when there is room for it. Resolves when the stream or the
 * connection has ended.
 *
 * When the server stops, the stream ends without `complete`, so that its client comes back. So it does when the token of
 * whoever reads expires, and with UNAUTHENTICATED: with a new one, they go on.
 */
export async function writeEventStream(
  response: ServerResponse,
  results: ResultStream,
  connection: Connection,
  { expiresAt, ending }: { expiresAt: Date | undefined; ending: boolean },
): Promise<void> {
  if (response.destroyed) return void (await results.return());
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  const write = (text: string) => {
    if (response.writableEnded) return;
    response.write(Buffer.from(text), connection.measure);
    connection.measure();
  };
  const ping = setInterval(() => connection.idle && write(':\n\n'), pingIntervalMs);
  const forget =
    expiresAt &&
    endAt(expiresAt, () => {
      write(event('next', JSON.stringify({ errors: [expired()] })));
      response.end();
      void results.return();
    });
  connection.onEnd = () => void response.end();
  if (ending) response.end();
  response.once('close', () => {
    connection.onEnd = undefined;
    forget?.();
    void results.return();
  });
  try {
    const start = results.cursor?.();
    write(start === undefined ? ':\n\n' : `id: ${start}\n\n`);
    for await (const result of results) {
      write(event('next', encode(result), results.cursor?.()));
      while (connection.full) await connection.drained();
    }
  } catch (error) {
    write(event('next', JSON.stringify({ errors: [error] })));
  } finally {
    clearInterval(ping);
  }
  if (!response.writableEnded) response.end(event('complete', '', completedId));
}

const expired = () => new GraphQLError('The token has expired: get a new one.', { extensions: { code: 'UNAUTHENTICATED' } });

/** One result, as a stream of one. */
export async function* once(result: ExecutionResult): ResultStream {
  yield result;
}

const event = (name: string, data: string, id?: string) => `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
