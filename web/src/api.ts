// The page's connection to the server: queries and mutations over HTTP, and subscriptions.

import { type AnyVariables, createClient, fetchExchange, type OperationResult, type TypedDocumentNode } from '@urql/core';
import { errorCode, type Resumable, resumable } from 'gapless/client';
import { endpoint } from './endpoint.ts';
import { openStreams } from './streams.ts';

/** The server answers within 5 seconds, so a request that takes longer than this is lost. */
const answerTimeoutMs = 12_000;

export interface ApiOptions {
  /** Undefined if a cookie identifies the viewer. */
  readonly token: string | undefined;
  /** Called when the server answers UNAUTHENTICATED. */
  readonly onRefused: () => void;
}

export class Api {
  /** Subscriptions that resume after a break. */
  readonly streams: Resumable;
  readonly #client: ReturnType<typeof createClient>;
  readonly #onRefused: () => void;
  readonly #closeStreams: () => void;

  constructor({ token, onRefused }: ApiOptions) {
    this.#onRefused = onRefused;
    this.#client = createClient({
      url: endpoint,
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

  /** Throws urql's CombinedError. */
  async query<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.#dataOf(await this.#client.query(document, variables, { requestPolicy: 'network-only' }).toPromise());
  }

  async mutate<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.#dataOf(await this.#client.mutation(document, variables).toPromise());
  }

  /** Calls `onRefused` if the error is UNAUTHENTICATED. */
  reportRefusal(error: unknown): void {
    if (errorCode(error) === 'UNAUTHENTICATED') this.#onRefused();
  }

  close(): void {
    this.#closeStreams();
  }

  #dataOf<Data>({ data, error }: Pick<OperationResult<Data>, 'data' | 'error'>): Data {
    if (error) {
      this.reportRefusal(error);
      throw error;
    }
    if (data == null) throw new Error('The server answered without data.');
    return data;
  }
}
