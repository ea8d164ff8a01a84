// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in the form that Yoga gives them:
// `next` with a result, `complete` at the end. The id of each event is the cursor after it, so a browser that reconnects
// resumes.

import type { ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Viewer } from '../chat/identity.ts';
import { type GaplessError, isFinal, retryAfterDefaultMs } from '../errors.ts';
import type { Sink } from '../feed/delivery.ts';
import { largeSizeOf } from '../schema/answer-size.ts';
import { causeOf, extensionsOf } from '../schema/error-code.ts';
import type { ResultSource } from '../schema/subscription.ts';
import type { Connection, Outlet, Use } from './connection.ts';
import { encode, toBytes } from './encode.ts';

/** The id of `complete`. A browser that reconnects with it has received everything, and gets 204, after which it does not
 * reconnect. */
export const completedId = 'complete';

/**
 * Answers with the results of a subscription. Resolves when the stream or its connection has ended.
 *
 * `complete` is the last event only if the subscription itself ended. When the server stops, or this node cannot continue, the
 * stream just ends, so that its client reconnects. When the viewer may no longer read, it ends with an error.
 */
export async function writeEventStream(
  response: ServerResponse,
  source: ResultSource,
  connection: Connection,
  viewer: Viewer | undefined,
): Promise<void> {
  if (response.destroyed) return source.stop();
  response.writeHead(200, headers);
  const stream = new EventStream(response, source, connection, viewer);
  connection.write(`id: ${source.cursor}\n\n`);
  try {
    await source.run(stream);
  } catch (error) {
    if (!isFinal(causeOf(error))) return stream.end();
    stream.fail(error as GraphQLError);
  }
  stream.complete();
}

/** Answers with a single result as an event stream. */
export function writeSingleEvent(response: ServerResponse, result: ExecutionResult): void {
  response.writeHead(200, headers).end(event('next', JSON.stringify(result)) + complete);
}

/** Ends the stream at once, with the delay after which an EventSource reconnects. */
export function writePostponement(response: ServerResponse, retryAfterMs = retryAfterDefaultMs): void {
  response.writeHead(200, headers).end(`retry: ${retryAfterMs}\n\n`);
}

// A proxy that compressed the stream would hold events back.
const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

class EventStream implements Use, Sink<ExecutionResult> {
  readonly #response: ServerResponse;
  readonly #source: ResultSource;
  readonly #connection: Connection;
  #pingAtMs: number;
  readonly viewer: Viewer | undefined;

  constructor(response: ServerResponse, source: ResultSource, connection: Connection, viewer: Viewer | undefined) {
    this.#response = response;
    this.#source = source;
    this.#connection = connection;
    this.viewer = viewer;
    this.#pingAtMs = connection.clock.now() + connection.bounds.pingMs;
    const socket: Outlet = connection.outlet;
    connection.outlet = response;
    connection.use = this;
    response.once('close', () => {
      if (connection.use === this) connection.use = undefined;
      if (connection.outlet === response) connection.outlet = socket;
      source.stop();
    });
  }

  // False once the last event was written, even if the client has not read it: ending the response twice would throw.
  get open(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  get ready(): boolean {
    return this.open && !this.#connection.full;
  }

  accepts(result: ExecutionResult): boolean {
    return this.#connection.accepts(largeSizeOf(result));
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  write(result: ExecutionResult): void {
    this.#connection.write(nextEvent(result, this.#source));
  }

  /** Sends a comment from time to time, so that proxies keep the connection open. */
  tick(nowMs: number): void {
    if (nowMs < this.#pingAtMs) return;
    this.#pingAtMs = nowMs + this.#connection.bounds.pingMs;
    if (this.#connection.idle && this.open) this.#connection.write(':\n\n');
  }

  revoke(reason: GaplessError): void {
    this.end(event('next', errorResult(new GraphQLError(reason.message, { extensions: extensionsOf(reason) }))));
  }

  /** Writes the error that ends the subscription. */
  fail(error: GraphQLError): void {
    if (this.open) this.#connection.write(toBytes(event('next', errorResult(error))));
  }

  complete(): void {
    this.end(complete);
  }

  end(last?: string): void {
    if (!this.open) return;
    this.#connection.flush();
    this.#response.end(last);
    this.#source.stop();
  }
}

const nextEvents = new WeakMap<ExecutionResult, string>();

/** The event of a result, in bytes. It is the same for all subscriptions that the result is written to, since their cursors are. */
function nextEvent(result: ExecutionResult, source: ResultSource): string {
  const known = nextEvents.get(result);
  if (known !== undefined) return known;
  const bytes = event('next', encode(result), source.cursor);
  nextEvents.set(result, bytes);
  return bytes;
}

const event = (name: string, data: string, id?: string) => `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
const complete = event('complete', '', completedId);
const errorResult = (error: GraphQLError) => JSON.stringify({ errors: [error] });
