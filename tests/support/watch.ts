// A subscription that records its results and how it ended.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type GraphQLFormattedError, print } from 'graphql';
import type { Client } from 'graphql-ws';
import { until } from './process.ts';
import { type Answer, Guest } from './server.ts';

export class Watch<Data> implements AsyncDisposable {
  /** The results so far, oldest first. */
  readonly results: Data[] = [];
  /** Resolves when the stream ends: with undefined if the server completed it, with its errors if it was refused or failed. */
  readonly ended: Promise<Answer<Data>['errors']>;
  readonly #stop: () => void;
  readonly #client: Client | undefined;

  /** Subscribes as a guest on a new socket, or on the socket of a client. */
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
        // A refusal is a result with errors, or an error message of the protocol.
        next: ({ data, errors }) => (errors ? ended.resolve(formatted(errors)) : this.results.push(data as Data)),
        error: (error) => (Array.isArray(error) ? ended.resolve(formatted(error)) : ended.reject(error)),
        complete: () => ended.resolve(undefined),
      },
    );
  }

  /** The first `count` results, once they have arrived. Throws if the stream ends before. */
  async take(count: number): Promise<Data[]> {
    let ended = false;
    this.ended.then(
      () => (ended = true),
      () => (ended = true),
    );
    await until(`the stream has delivered ${count} results`, () => this.results.length >= count || ended);
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

/** Opens a subscription over server-sent events that is expected to be refused. Returns the HTTP status and the errors. */
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
