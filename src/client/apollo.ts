// `gapless/client/apollo`: useSubscription of @apollo/client that never misses.

import type { ApolloLink } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import type { Resumable } from './resumable.ts';

/**
 * The link for subscriptions, over what `resumable()` gives: beside an HttpLink, by `ApolloLink.split`. A subscription ends
 * with an error only for what will not pass; `errorCode` tells what. Take `after` from the page that opened the view, once:
 * other variables are another subscription to Apollo.
 */
export const resumableLink = (resumable: Resumable): ApolloLink =>
  // It uses nothing of a client but `subscribe`.
  new GraphQLWsLink(resumable as ConstructorParameters<typeof GraphQLWsLink>[0]);
