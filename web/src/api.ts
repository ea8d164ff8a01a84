// The page's connection to the server: queries and mutations over HTTP, and subscriptions.

import { type AnyVariables, createClient, fetchExchange, type OperationResult, type TypedDocumentNode } from '@urql/core';
import { errorCode, type Resumable, resumable, retryAfterMs } from 'gapless/client';
import { endpoint } from './endpoint.ts';
import { pause } from './retry.ts';
import { openStreams } from './streams.ts';

/** The server answers within 5 seconds, so a request that takes longer than this is lost. */
const answerTimeoutMs = 12_000;
/** Maximum time for which a mutation waits by itself when it is rate limited. */
const patienceMs = 15_000;

export interface ApiOptions {
  /** Undefined if a cookie identifies the viewer. */
  readonly token: string | undefined;
  /** The `Viewer.id` that each request is meant for. Undefined until it is known: another tab may sign in as somebody else. */
  readonly viewerId?: string | undefined;
  /** Called when the server answers UNAUTHENTICATED, with the error or the close event of the socket. */
  readonly onRefused: (error: unknown) => void;
}

export class Api {
  /** Subscriptions that resume after a break. */
  readonly streams: Resumable;
  readonly #client: ReturnType<typeof createClient>;
  readonly #onRefused: (error: unknown) => void;
  readonly #closeStreams: () => void;
  readonly #closed = new AbortController();

  constructor(options: ApiOptions) {
    const { token, viewerId, onRefused } = options;
    this.#onRefused = onRefused;
    this.#client = createClient({
      url: endpoint,
      preferGetMethod: false,
      exchanges: [fetchExchange],
      fetchOptions: {
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(viewerId === undefined ? {} : { 'gapless-viewer': viewerId }),
        },
      },
      fetch: (input, init) => {
        const timeout = AbortSignal.timeout(answerTimeoutMs);
        return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout });
      },
    });
    const { subscriber, close } = openStreams(options);
    this.#closeStreams = close;
    this.streams = resumable(subscriber, { backoff: { maxMs: 10_000 } });
  }

  /** Throws urql's CombinedError. */
  async query<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.#dataOf(await this.#client.query(document, variables, { requestPolicy: 'network-only' }).toPromise());
  }

  /**
   * Throws urql's CombinedError. A mutation that is rate limited was not carried out: it waits as long as the server asks, if
   * that is not too long, and is sent again.
   */
  async mutate<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    for (let waitedMs = 0; ; ) {
      const result = await this.#client.mutation(document, variables).toPromise();
      const { error } = result;
      const waitMs = errorCode(error) === 'RATE_LIMITED' ? retryAfterMs(error) : undefined;
      if (waitMs === undefined || waitedMs + waitMs > patienceMs || this.#closed.signal.aborted) return this.#dataOf(result);
      await pause(waitMs, this.#closed.signal);
      waitedMs += waitMs;
    }
  }

  /** Like `mutate`, but throws at once if it is rate limited. */
  async mutateOnce<Data, Variables extends AnyVariables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    return this.#dataOf(await this.#client.mutation(document, variables).toPromise());
  }

  /** Calls `onRefused` if the error is UNAUTHENTICATED. */
  reportRefusal(error: unknown): void {
    if (errorCode(error) === 'UNAUTHENTICATED') this.#onRefused(error);
  }

  close(): void {
    this.#closed.abort();
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
