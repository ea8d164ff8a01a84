// A subscription as the tests hold one: what it was handed so far, and how it ended.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type GraphQLFormattedError, print } from 'graphql';
import type { Client } from 'graphql-ws';
import { until } from './process.ts';
import { type Answer, Guest } from './server.ts';

export class Watch<Data> implements AsyncDisposable {
  /** What was handed over, oldest first. */
  readonly results: Data[] = [];
  /** Resolves at the end: with nothing where the server has completed the stream, with its errors where it refused or could not go on. */
  readonly ended: Promise<Answer<Data>['errors']>;
  readonly #stop: () => void;
  readonly #client: Client | undefined;

  /** Watches as a guest, on a socket of its own, or on the socket of a client. */
  constructor(watcher: Guest | Client, document: TypedDocumentNode<Data, never> | string, variables: object) {
    this.#client = watcher instanceof Guest ? watcher.connect() : undefined;
    const client = watcher instanceof Guest ? (this.#client as Client) : watcher;
    const ended = Promise.withResolvers<Answer<Data>['errors']>();
    this.ended = ended.promise;
    this.ended.catch(() => {});
    const query = typeof document === 'string' ? document : print(document);
    this.#stop = client.subscribe<Data>(
      { query, variables: variables as Record<string, unknown> },
      {
        // A refusal comes either way: as a result that is all errors, or as an error of the protocol.
        next: ({ data, errors }) => (errors ? ended.resolve(formatted(errors)) : this.results.push(data as Data)),
        error: (error) => (Array.isArray(error) ? ended.resolve(formatted(error)) : ended.reject(error)),
        complete: () => ended.resolve(undefined),
      },
    );
  }

  /** The first `count` results, once they are there. Throws where the stream ends before. */
  async take(count: number): Promise<Data[]> {
    let ended = false;
    this.ended.then(
      () => (ended = true),
      () => (ended = true),
    );
    await until(`the stream has handed over ${count}`, () => this.results.length >= count || ended);
    if (this.results.length < count)
      throw new Error(`The stream ended after ${this.results.length} of ${count}: ${JSON.stringify(await this.ended)}.`);
    return this.results.slice(0, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await this.#client?.dispose();
  }
}

const formatted = (errors: unknown) => errors as readonly (GraphQLFormattedError & { extensions: { code: string; field?: string } })[];

/** What a subscription over server-sent events is refused with: the status of HTTP, and the errors. */
export async function refuseEventStream(
  url: string,
  token: string | undefined,
  query: string,
  variables: object,
): Promise<{ status: number; errors: Answer<unknown>['errors'] }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    await response.body?.cancel();
    throw new Error('The stream was opened.');
  }
  return { status: response.status, errors: ((await response.json()) as Answer<unknown>).errors };
}
