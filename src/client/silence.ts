// Connections that have died without a word: a client of graphql-ws with `keepAlive` asks for a sign of life, and leaves it
// to whoever uses it to notice that none comes (https://the-guild.dev/graphql/ws/recipes#ping-from-client).

import type { Subscriber } from './subscriber.ts';

/** How long an answer to a ping may take. */
const answerMs = 5000;

/** As much of graphql-ws’s client as this takes. */
interface Pinging extends Subscriber {
  on(event: 'ping' | 'pong' | 'closed', listener: (received: boolean) => void): () => void;
  terminate(): void;
}

/** Ends the connection of a client whose ping is not answered, so that it makes another. */
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

const isPinging = (subscriber: Subscriber): subscriber is Pinging => 'on' in subscriber && 'terminate' in subscriber;
