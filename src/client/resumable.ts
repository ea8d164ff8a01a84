// Subscriptions that miss nothing, over any transport.

import { backoffOf } from './backoff.ts';
import { Renewal } from './renewal.ts';
import { Connection } from './socket.ts';
import type { Payload, Subscriber } from './subscriber.ts';
import { type ResumableOptions, type ResumableSink, Subscription } from './subscription.ts';

export interface Resumable extends Subscriber {
  /**
   * Delivers each event after `variables.after` once, in order. Without `after`, it starts with the events from now on.
   * Returns a function that ends the subscription. Events of viewerEvents are states: some may be delivered again after a
   * break, and `applyViewerEvent` does no harm with them.
   *
   * It retries after every failure, without limit, except the final ones: BAD_USER_INPUT, CONFLICT, CURSOR_EXPIRED,
   * CURSOR_INVALID, FORBIDDEN, NOT_FOUND, UNAUTHENTICATED without `renewToken`, and a selection without `cursor`. Only these
   * call `error`.
   *
   * `after` is read once. If a cache merges pages, the syncCursor of the view moves ahead of the delivered events: take
   * `after` from the page that opened the view. Without `after`, messageAdded can resume from its first message only: a
   * break before that starts anew.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in Subscriber
  subscribe(payload: any, sink: ResumableSink<any>): () => void;
}

/**
 * Subscriptions to roomEvents, messageAdded and viewerEvents that miss nothing, over a graphql-ws client or
 * `eventStreams()`. Create one for each client, for all its subscriptions. The operation declares `$after: String`, passes it
 * to the field, and selects `cursor`, and for roomEvents and viewerEvents also `__typename`.
 *
 * Set `retryAttempts: 0` on the graphql-ws client, because this retries by itself. Set `keepAlive` too, in milliseconds:
 * after that much silence the client sends a ping, and a connection that does not answer within 5 s is replaced.
 */
export function resumable(subscriber: Subscriber, { renewToken, ...options }: ResumableOptions = {}): Resumable {
  const connection = new Connection(subscriber);
  const renewal = renewToken && new Renewal(connection, renewToken, backoffOf(options));
  const withSharedRenewal = { ...options, renewToken: renewal && (() => renewal.renew()) };
  return {
    subscribe(payload: Payload, sink: ResumableSink) {
      const subscription = new Subscription(subscriber, payload, sink, withSharedRenewal);
      return () => subscription.end();
    },
  };
}
