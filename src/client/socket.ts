// Adds to graphql-ws: closes a connection whose server does not answer, and continues or reconnects with a new token. It does
// nothing for other subscribers.

import { callListener } from './listener.ts';
import type { Result, Subscriber } from './subscriber.ts';

/** How long the server may take to answer a ping. */
const pongTimeoutMs = 5000;

const renewToken = 'mutation ($token: String!) { renewToken(input: { token: $token }) { expiresAt } }';

/** The payload of connection_ack: when the token of the connection expires. Absent without a token. */
interface Acknowledgement {
  readonly expiresAt?: unknown;
  /** The same as a duration, because the clock of the client may be wrong. */
  readonly expiresInMs?: unknown;
}

/** The part of graphql-ws's client that is used here. */
interface SocketClient extends Subscriber {
  on(event: 'connecting' | 'opened' | 'closed' | 'message', listener: () => void): () => void;
  on(event: 'connected', listener: (socket: unknown, payload: Acknowledgement | undefined) => void): () => void;
  on(event: 'ping' | 'pong', listener: (received: boolean) => void): () => void;
  terminate(): void;
}

/** The connection that a client of graphql-ws has open at a time. */
export class Connection {
  readonly #client: SocketClient | undefined;
  #connecting = false;
  /** How much the clock of the server is ahead. */
  #aheadMs = 0;
  /** Runs from a ping until its pong. */
  #pongTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(subscriber: Subscriber) {
    if (!isSocketClient(subscriber)) return;
    this.#client = subscriber;
    subscriber.on('connecting', () => {
      this.#connecting = true;
    });
    subscriber.on('opened', () => {
      this.#connecting = false;
    });
    subscriber.on('closed', () => {
      this.#connecting = false;
      this.#stopTimer();
    });
    // With `keepAlive`, graphql-ws sends pings, but ignores that no pong arrives
    // (https://the-guild.dev/graphql/ws/recipes#ping-from-client).
    subscriber.on('ping', (received) => {
      if (!received) this.#startTimer();
    });
    subscriber.on('pong', (received) => {
      if (received) this.#stopTimer();
    });
    // On a slow link, earlier events arrive before the pong. Any message shows that the connection works.
    subscriber.on('message', () => {
      if (this.#pongTimer !== undefined) this.#startTimer();
    });
  }

  /**
   * Closes the connection, so that the next one is opened with the new token: a connection sends its token once. One that is
   * not open yet is kept. It will send the new token, and if it were closed, `ws` would end a process of Node with an error.
   */
  drop(): void {
    // terminate() calls listeners of the application, which may throw.
    if (!this.#connecting) callListener(() => this.#client?.terminate());
  }

  onOpened(listener: () => void): void {
    this.#client?.on('opened', listener);
  }

  onClosed(listener: () => void): void {
    this.#client?.on('closed', listener);
  }

  /** Calls `listener` when the server has accepted the connection, with the time until its token expires, if the server says so. */
  onAcknowledged(listener: (expiresInMs: number | undefined) => void): void {
    this.#client?.on('connected', (_socket, { expiresAt, expiresInMs } = {}) => {
      const known = typeof expiresInMs === 'number' && typeof expiresAt === 'string';
      if (known) this.#aheadMs = Date.parse(expiresAt) - expiresInMs - Date.now();
      listener(known ? expiresInMs : undefined);
    });
  }

  /** Continues the open connection with a new token. Resolves with the time until that expires. */
  async continueWith(token: string): Promise<number> {
    const { data, errors } = await new Promise<Result>((resolve, reject) => {
      const sink = { next: resolve, error: reject, complete: () => reject(new Error('The server did not answer.')) };
      this.#client?.subscribe({ query: renewToken, variables: { token } }, sink);
    });
    const { expiresAt } = (data?.['renewToken'] ?? {}) as { expiresAt?: string };
    if (expiresAt === undefined) throw errors ?? new Error('The server did not say when the token expires.');
    return Date.parse(expiresAt) - Date.now() - this.#aheadMs;
  }

  #startTimer(): void {
    this.#stopTimer();
    this.#pongTimer = setTimeout(() => this.#client?.terminate(), pongTimeoutMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#pongTimer);
    this.#pongTimer = undefined;
  }
}

const isSocketClient = (subscriber: Subscriber): subscriber is SocketClient => 'on' in subscriber && 'terminate' in subscriber;
