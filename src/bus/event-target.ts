// Yoga's Redis EventTarget (https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions#distributed-pubsub),
// wrapped. It does not await or catch the commands that it sends, and it parses messages inside the listener of the client:
// while Redis is away, or after one publish of text that is not JSON, it would end the process. So it gets clients that cannot
// fail, and a serializer that does nothing.

import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import type { Redis } from 'ioredis';

/** The Redis commands that the target needs. They may not throw or reject. */
export interface Commands {
  publish(topic: string, text: string): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Calls `listener` with each message of a topic that is subscribed to. */
  onMessage(listener: (topic: string, text: string) => void): void;
}

export interface RedisEventTarget {
  publish(topic: string, text: string): void;
  /** Calls `listener` with each text of the topic until the returned function is called. One SUBSCRIBE for all listeners. */
  listen(topic: string, listener: (text: string) => void): () => void;
}

export function openEventTarget(commands: Commands): RedisEventTarget {
  const target = createRedisEventTarget<CustomEvent<unknown>>({
    publishClient: { publish: commands.publish } as unknown as Redis,
    subscribeClient: {
      on: (_event: 'message', listener: (topic: string, text: string) => void) => commands.onMessage(listener),
      subscribe: commands.subscribe,
      unsubscribe: commands.unsubscribe,
    } as unknown as Redis,
    serializer: { stringify: (text) => text as string, parse: (text) => text },
  });
  return {
    publish: (topic, text) => void target.dispatchEvent(new CustomEvent(topic, { detail: text })),
    listen(topic, listener) {
      // An empty text arrives as null.
      const onEvent = ({ detail }: CustomEvent<unknown>) => listener(typeof detail === 'string' ? detail : '');
      target.addEventListener(topic, onEvent);
      return () => target.removeEventListener(topic, onEvent);
    },
  };
}
