// The transports of the client kit, and a watcher that uses one of them.

import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { eventStreams } from '../../src/client/event-streams.ts';
import { resumable } from '../../src/client/resumable.ts';
import type { Payload, Subscriber } from '../../src/client/subscriber.ts';
import type { ResumableOptions, Status } from '../../src/client/subscription.ts';

/** A short backoff, so that tests are fast. */
export const quick = { firstMs: 20, maxMs: 200 };

/** `token` is called for each connection attempt. */
export const ways: Record<string, (url: string, token: () => string) => Subscriber> = {
  'graphql-ws': (url, token) =>
    createClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: () => ({ authorization: `Bearer ${token()}` }),
    }),
  'event streams': (url, token) => eventStreams({ url, token }),
};

export const roomEvents = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) { __typename cursor ... on MessageAdded { message { number body } } }
}`;
export const messageAdded =
  'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { cursor number } }';

interface Event {
  readonly __typename?: string;
  readonly cursor: string;
  readonly number?: number;
  readonly message?: { readonly number: number };
}

/** A subscription with the client kit that records events, statuses and its end. */
export class Watcher implements Disposable {
  readonly numbers: number[] = [];
  readonly events: Event[] = [];
  readonly statuses: Status[] = [];
  /** How it ended: errors, or 'complete'. Empty while it is open. */
  readonly ends: unknown[] = [];
  readonly #end: () => void;

  constructor(subscriber: Subscriber, payload: Payload, options: ResumableOptions = {}) {
    this.#end = resumable(subscriber, { backoff: quick, ...options }).subscribe(payload, {
      next: ({ data }) => {
        const [event] = Object.values(data) as [Event];
        this.events.push(event);
        const number = event.message?.number ?? event.number;
        if (number !== undefined) this.numbers.push(number);
      },
      error: (error) => this.ends.push(error),
      complete: () => this.ends.push('complete'),
      status: (status) => this.statuses.push(status),
    });
  }

  get live(): boolean {
    return this.statuses.at(-1) === 'live';
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}
