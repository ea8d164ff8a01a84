// Subscriptions that never miss, over whatever carries them.

import { dropConnection, endSilence } from './socket.ts';
import type { Payload, Subscriber } from './subscriber.ts';
import { type ResumableOptions, type ResumableSink, Subscription } from './subscription.ts';

export interface Resumable extends Subscriber {
  /**
   * Begins behind `variables.after`, or with what comes from now on, and hands over each event once, in order. It tries
   * again without end, and calls `error` only for what will not pass: CURSOR_EXPIRED, NOT_FOUND, FORBIDDEN, BAD_USER_INPUT,
   * a selection without `cursor`. Returns how to end it.
   *
   * `after` is read once. Where a cache merges pages, the syncCursor of the view moves ahead of what was handed over: take
   * it from the page that opened the view. Without `after`, messageAdded can go on from its first message only: until then
   * a break is a new beginning.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in Subscriber
  subscribe(payload: any, sink: ResumableSink<any>): () => void;
}

/**
 * Subscriptions to roomEvents and messageAdded that never miss, over a client of graphql-ws or `eventStreams()`: one for
 * each client, whatever is subscribed to. The operation takes `$after: String`, hands it to the field, and selects `cursor`; of roomEvents, `__typename` as well.
 *
 * Give graphql-ws `retryAttempts: 0`: this tries again by itself. And `keepAlive`, in milliseconds: a connection that does
 * not answer within 5 s after so much silence is ended, and made anew.
 */
export function resumable(subscriber: Subscriber, { renewToken, ...options }: ResumableOptions = {}): Resumable {
  endSilence(subscriber);
  const renew = async () => {
    await renewToken?.();
    dropConnection(subscriber);
  };
  const renewing = { ...options, renewToken: renewToken && oneAtATime(renew) };
  return {
    subscribe(payload: Payload, sink: ResumableSink) {
      const subscription = new Subscription(subscriber, payload, sink, renewing);
      return () => subscription.end();
    },
  };
}

/** The subscriptions of a socket lose their token together: one new one is enough for all. */
function oneAtATime(renew: () => Promise<void>): () => Promise<void> {
  let renewal: Promise<void> | undefined;
  return () => {
    renewal ??= renew().finally(() => {
      renewal = undefined;
    });
    return renewal;
  };
}
