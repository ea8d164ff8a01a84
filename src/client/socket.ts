// Ends connections of a graphql-ws client, which does not do so by itself: those that died silently, and those that were
// opened with an old token.

import type { Subscriber } from './subscriber.ts';

/** Maximum time between a ping and its pong. */
const pongTimeoutMs = 5000;

/** The part of a graphql-ws client that is used here. */
interface SocketClient extends Subscriber {
  on(event: 'ping' | 'pong' | 'closed', listener: (received: boolean) => void): () => void;
  terminate(): void;
}

/**
 * Terminates a connection that does not answer a ping. With `keepAlive`, the client sends pings but ignores missing pongs
 * (https://the-guild.dev/graphql/ws/recipes#ping-from-client).
 */
export function terminateUnresponsive(subscriber: Subscriber): void {
  if (!isSocketClient(subscriber)) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  subscriber.on('ping', (received) => {
    if (received) return;
    stop();
    timer = setTimeout(() => subscriber.terminate(), pongTimeoutMs);
  });
  subscriber.on('pong', (received) => received && stop());
  subscriber.on('closed', stop);
}

/** A connection keeps the identity with which it was opened, so a new token takes a new connection. */
export function dropConnection(subscriber: Subscriber): void {
  if (isSocketClient(subscriber)) subscriber.terminate();
}

const isSocketClient = (subscriber: Subscriber): subscriber is SocketClient => 'on' in subscriber && 'terminate' in subscriber;
