// What a client of graphql-ws leaves to whoever uses it: to notice that its connection has died, and to make another.

import type { Subscriber } from './subscriber.ts';

/** How long an answer to a ping may take. */
const answerMs = 5000;

/** As much of graphql-ws’s client as this takes. */
interface Pinging extends Subscriber {
  on(event: 'ping' | 'pong' | 'closed', listener: (received: boolean) => void): () => void;
  terminate(): void;
}

/**
 * Ends a connection that has died without a word. With `keepAlive` the client asks for a sign of life, and does not mind that
 * none comes (https://the-guild.dev/graphql/ws/recipes#ping-from-client).
 */
export function endSilence(subscriber: Subscriber): void {
  if (!isPinging(subscriber)) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  subscriber.on('ping', (received) => {
    if (received) return;
    stop();
    timer = setTimeout(() => subscriber.terminate(), answerMs);
  });
  subscriber.on('pong', (received) => received && stop());
  subscriber.on('closed', stop);
}

/** Ends the connection. Who it belongs to was said when it was opened: with another token, another one is needed. */
export function dropConnection(subscriber: Subscriber): void {
  if (isPinging(subscriber)) subscriber.terminate();
}

const isPinging = (subscriber: Subscriber): subscriber is Pinging => 'on' in subscriber && 'terminate' in subscriber;
