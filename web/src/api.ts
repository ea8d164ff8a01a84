// How the page talks to the server: queries and mutations over HTTP, streams beside them.

import { type AnyVariables, createClient, fetchExchange, type OperationResult, type TypedDocumentNode } from '@urql/core';
import { errorCode, type Resumable, resumable } from 'gapless/client';
import { openStreams } from './streams.ts';

/** The server answers within 5 seconds, whatever state it is in. */
const answerTimeoutMs = 12_000;

export interface ApiOptions {
  /** Where identity is by token. A cookie travels by itself. */
  readonly token: string | undefined;
  /** Called when the server does not know, or know any more, who asks. */
  readonly onRefused: () => void;
}

export class Api {
  /** Streams that go on where they broke off. */
  readonly streams: Resumable;
  readonly #client: ReturnType<typeof createClient>;
  readonly #onRefused: () => void;
  readonly #closeStreams: () => void;

  constructor({ token, onRefused }: ApiOptions) {
    this.#onRefused = onRefused;
    this.#client = createClient({
      url: '/graphql',
      preferGetMethod: false,
      exchanges: [fetchExchange],
      fetchOptions: { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
      fetch: (input, init) => {
        const timeout = AbortSignal.timeout(answerTimeoutMs);
        return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout });
      },
    });
    const { subscriber, close } = openStreams({ token, onRefused });
    this.#closeStreams = close;
    this.streams = resumable(subscriber, { backoff: { maxMs: 10_000 } });
  }

  /** Throws whatever is wrong, as urql's CombinedError. */
  async query<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.#dataOf(await this.#client.query(document, variables, { requestPolicy: 'network-only' }).toPromise());
  }

  async mutate<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.#dataOf(await this.#client.mutation(document, variables).toPromise());
  }

  /** Has it be known that the server refused who asks, wherever it was said. */
  heard(error: unknown): void {
    if (errorCode(error) === 'UNAUTHENTICATED') this.#onRefused();
  }

  close(): void {
    this.#closeStreams();
  }

  #dataOf<Data>({ data, error }: Pick<OperationResult<Data>, 'data' | 'error'>): Data {
    if (error) {
      this.heard(error);
      throw error;
    }
    if (data == null) throw new Error('The server answered nothing.');
    return data;
  }
}
