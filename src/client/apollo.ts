// `gapless/client/apollo`: subscriptions of @apollo/client that miss nothing.

import type { ApolloLink } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import type { Resumable } from './resumable.ts';

/**
 * A link for subscriptions. Put it beside an HttpLink with `ApolloLink.split`. A subscription ends with an error only if a
 * retry cannot help; `errorCode` returns its code. Take `after` once, from the page that opened the view: with other
 * variables, Apollo starts another subscription.
 */
export const resumableLink = (resumable: Resumable): ApolloLink =>
  // GraphQLWsLink only uses `subscribe` of a client.
  new GraphQLWsLink(resumable as ConstructorParameters<typeof GraphQLWsLink>[0]);
