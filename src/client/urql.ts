// `gapless/client/urql`: useSubscription of urql that never misses.

import { type Exchange, subscriptionExchange } from '@urql/core';
import type { Resumable } from './resumable.ts';

/**
 * The exchange for subscriptions, over what `resumable()` gives, beside fetchExchange. A subscription ends with an error only
 * for what will not pass; `errorCode` tells what. Take `after` from the page that opened the view, once: other variables are
 * another subscription to urql.
 */
export const resumableExchange = (resumable: Resumable): Exchange =>
  subscriptionExchange({
    forwardSubscription: ({ query = '', variables }) => ({
      subscribe: (sink) => ({ unsubscribe: resumable.subscribe({ query, variables }, sink) }),
    }),
  });
