// Adds to graphql-ws: closes a connection whose server does not answer, and reconnects with a new token. It does
// nothing for other subscribers.

import { callListener } from './listener.ts';
import type { Subscriber } from './subscriber.ts';

/** How long the server may take to answer a ping. */
const pongTimeoutMs = 5000;

/** The part of graphql-ws's client that is used here. */
interface SocketClient extends Subscriber {
  on(event: 'connecting' | 'opened' | 'closed' | 'message', listener: () => void): () => void;
  on(event: 'ping' | 'pong', listener: (received: boolean) => void): () => void;
  terminate(): void;
}

/** The connection that a client of graphql-ws has open at a time. */
export class Connection {
  readonly #client: SocketClient | undefined;
  #connecting = false;
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
