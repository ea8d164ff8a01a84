// Mutations over WebSockets: one socket per node, opened on demand, without the retries of the client, so that every attempt
// is recorded.

import { type Account, type Answer, answerTimeoutMs, Unanswered } from './api.ts';
import { openStockSocket, type StockSocket } from './stock-socket.ts';

/** How long a socket without an operation stays open. */
const lazyCloseMs = 10_000;

export class SocketRequester implements Disposable {
  readonly #sockets: readonly StockSocket[];

  constructor(urls: readonly string[], { token }: Account) {
    this.#sockets = urls.map((url) => openStockSocket(token, { url, retryAttempts: 0, lazyCloseTimeout: lazyCloseMs }));
  }

  readonly request = (node: number, query: string, variables: Record<string, unknown>): Promise<Answer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const stop = (this.#sockets[node] as StockSocket).client.subscribe(
      { query, variables },
      {
        next: (answer) => resolve(answer as Answer),
        error: (error) => (Array.isArray(error) ? resolve({ errors: error }) : reject(new Unanswered(lost(error)))),
        complete: () => reject(new Unanswered('completed without an answer')),
      },
    );
    const timer = setTimeout(() => {
      reject(new Unanswered('no answer in time'));
      stop();
    }, answerTimeoutMs);
    promise.catch(() => {}).finally(() => clearTimeout(timer));
    return promise;
  };

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.dispose();
  }
}

const lost = (error: unknown) => {
  const { code, error: cause, message } = error as { code?: number | string; error?: { code?: string }; message?: string };
  return typeof code === 'number' ? `socket closed with ${code}` : (cause?.code ?? code ?? message ?? 'socket lost');
};
