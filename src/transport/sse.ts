// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in the form that Yoga gives them:
// `next` with a result, `complete` at the end. Each carries the cursor as its id, so a browser that reconnects resumes.

import type { ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Sink } from '../feed/delivery.ts';
import type { Subscription } from '../schema/subscription.ts';
import type { Connection } from './connection.ts';
import { encode, toBytes } from './encode.ts';

/** The id of `complete`. A browser that comes back with it has been told everything, and is told so by a 204. */
export const completedId = 'complete';

/**
 * Writes the results, one at a time: the next is asked for when there is room for it. Resolves when the stream or the
 * connection has ended.
 *
 * When the server stops, the stream ends without `complete`, so that its client comes back. So it does when the token of
 * whoever reads expires, and with UNAUTHENTICATED: with a new one, they go on.
 */
export async function writeEventStream(
  response: ServerResponse,
  results: EventSource,
  connection: Connection,
  { expiresAt, ending }: { expiresAt: Date | undefined; ending: boolean },
): Promise<void> {
  if (response.destroyed) return results.stop();
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  const { outlet } = connection;
  connection.outlet = response;
  // More than once, it would end the process: a stream that is ended is looked after until its client has read that.
  const end = (last?: string) => {
    if (!sink.open) return;
    connection.flush();
    response.end(last);
  };
  const sink: Sink<ExecutionResult> = {
    get open() {
      return !response.writableEnded && !response.destroyed;
    },
    get ready() {
      return this.open && !connection.full;
    },
    drained: () => connection.drained(),
    write: (result) => connection.write(nextEvent(result, results)),
  };
  let pingAtMs = Date.now() + connection.bounds.pingMs;
  connection.use = {
    attend(nowMs) {
      if (expiresAt && nowMs >= expiresAt.getTime()) {
        end(event('next', JSON.stringify({ errors: [expired()] })));
        results.stop();
      } else if (nowMs >= pingAtMs) {
        pingAtMs = nowMs + connection.bounds.pingMs;
        if (connection.idle && sink.open) connection.write(':\n\n');
      }
    },
    end,
  };
  if (ending) end();
  response.once('close', () => {
    connection.use = undefined;
    connection.outlet = outlet;
    results.stop();
  });
  try {
    const start = results.cursor;
    if (sink.open) connection.write(start === undefined ? ':\n\n' : `id: ${start}\n\n`);
    await results.run(sink);
  } catch (error) {
    if (sink.open) connection.write(toBytes(event('next', JSON.stringify({ errors: [error] }))));
  }
  end(event('complete', '', completedId));
}

const expired = () => new GraphQLError('The token has expired: get a new one.', { extensions: { code: 'UNAUTHENTICATED' } });

/** One result, as a stream of one. */
export const once = (result: ExecutionResult): EventSource => ({ run: async (sink) => sink.write(result), stop() {} });

export type EventSource = Pick<Subscription, 'run' | 'stop'> & { readonly cursor?: string };

const nextEvents = new WeakMap<ExecutionResult, string>();

/** A result that `results` has just handed over, in bytes: the same for all who are handed it, since they are at the same place. */
function nextEvent(result: ExecutionResult, results: EventSource): string {
  const known = nextEvents.get(result);
  if (known !== undefined) return known;
  const bytes = event('next', encode(result), results.cursor);
  nextEvents.set(result, bytes);
  return bytes;
}

const event = (name: string, data: string, id?: string) => `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
