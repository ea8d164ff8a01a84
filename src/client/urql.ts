// `gapless/client/urql`: subscriptions of urql that miss nothing.

import { type Exchange, subscriptionExchange } from '@urql/core';
import type { Resumable } from './resumable.ts';

/**
 * An exchange for subscriptions. Put it beside fetchExchange. A subscription ends with an error only if a retry cannot help;
 * `errorCode` returns its code. Take `after` once, from the page that opened the view: with other variables, urql starts
 * another subscription.
 */
export const resumableExchange = (resumable: Resumable): Exchange =>
  subscriptionExchange({
    forwardSubscription: ({ query = '', variables }) => ({
      subscribe: (sink) => ({ unsubscribe: resumable.subscribe({ query, variables }, sink) }),
    }),
  });
