// Runs an operation, whichever door it came in by. Every execution, that of each event too, has a context of its own.

import { execute } from '@graphql-tools/executor';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  executeSubscriptionEvent,
  type GraphQLError,
  mapSourceToResponseEvent,
  type ValidatedExecutionArgs,
  type ValidatedSubscriptionArgs,
  validateExecutionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import { GaplessError } from '../errors.ts';
import type { Delivery, Feed } from '../feed/feed.ts';
import { encodeCursor } from '../storage/cursor.ts';
import { isUnavailable } from '../storage/unavailable.ts';
import type { Context } from './context.ts';
import { costErrors } from './cost.ts';
import { causeOf, toClientError } from './error-code.ts';
import { sharingKey, watchedContext } from './sharing.ts';

/** What comes of a subscription: a result for each event. */
export interface ResultStream extends AsyncGenerator<ExecutionResult, void, void> {
  /** The cursor behind what was handed over last. */
  readonly cursor?: () => string;
}

/** Executes a query or mutation. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const context = args.contextValue as Context;
  const valid = validateExecutionArgs(args);
  const errors = 'schema' in valid ? costErrors(valid) : valid;
  return maskErrors(errors.length > 0 ? { errors } : ((await execute(args)) as ExecutionResult), context);
}

/** Begins a subscription. The stream throws a GraphQLError for the client where it cannot go on. */
export async function subscribeOperation(args: ExecutionArgs): Promise<ResultStream | ExecutionResult> {
  const context = args.contextValue as Context;
  const valid = validateSubscriptionArgs(args);
  const errors = 'schema' in valid ? costErrors(valid) : valid;
  if (!('schema' in valid) || errors.length > 0) return maskErrors({ errors }, context);
  const source = await createSourceEventStream(valid);
  if (!(Symbol.asyncIterator in source)) return maskErrors(source, context);
  const feed = source as Feed;
  const results = mapSourceToResponseEvent(valid, feed, eventExecutor(feed, sharingKey(valid), context));
  const stream: ResultStream = {
    ...results,
    next: () => results.next().catch((error: unknown) => Promise.reject(toClientError(error, context.log))),
    cursor: () => encodeCursor(feed.roomId, feed.position),
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

/** Executes a subscription for one event. What gives the same to everyone is executed once for all who are at that event. */
function eventExecutor(feed: Feed, key: string, context: Context) {
  const feedStorage = { ...context.storage, db: context.storage.feedDb };
  const executeOnce = async (event: ValidatedSubscriptionArgs) => {
    const watched = watchedContext(context, feedStorage);
    const result = await executeSubscriptionEvent({ ...event, contextValue: watched.context });
    // Either the database is away, or what the event is about has been removed: handed over, it would be passed by.
    const fatal = result.errors?.map(causeOf).find((cause) => isUnavailable(cause) || isExpired(cause));
    if (fatal) throw fatal;
    return { forEveryone: !watched.viewerSeen(), result: maskErrors(result, context) };
  };
  const executeShared = async (event: ValidatedSubscriptionArgs) => {
    const delivery = event.rootValue as Delivery;
    if (delivery.type === 'CaughtUp') return (await executeOnce(event)).result;
    let own: ExecutionResult | undefined;
    const shared = await feed.fanOut.share(delivery, key, async () => {
      const { forEveryone, result } = await executeOnce(event);
      own = result;
      // What is one viewer's own is not kept for others: nothing but that each has to ask for theirs.
      return forEveryone ? result : undefined;
    });
    return own ?? shared ?? (await executeOnce(event)).result;
  };
  // What failed for want of the database is executed again: handed over as an error, the event would be passed by.
  return (event: ValidatedExecutionArgs) => feed.retry(() => executeShared(event as ValidatedSubscriptionArgs));
}

const isExpired = (cause: unknown) => cause instanceof GaplessError && cause.code === 'CURSOR_EXPIRED';

function maskErrors(result: ExecutionResult, { log }: Context): ExecutionResult {
  const errors = result.errors?.map((error: GraphQLError) => toClientError(error, log));
  return errors ? { ...result, errors } : result;
}
