// The results of a subscription. A result that is the same for every viewer is executed once for all subscribers at that
// entry. A failed execution delivers nothing and leaves the position unchanged.

import { type ExecutionResult, executeSubscriptionEvent, type ValidatedSubscriptionArgs } from 'graphql';
import { badInput, isFinal } from '../errors.ts';
import type { Delivery, Operation, SharedOperation, Sink } from '../feed/delivery.ts';
import type { Feed } from '../feed/feed.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { isTooLarge, tooLargeMessage } from './answer-size.ts';
import { type Context, type Services, servicesOf } from './context.ts';
import { causeOf, maskErrors, toClientError } from './error-code.ts';
import { type Sharing, sharedContext, sharingOf } from './sharing.ts';

/** The results of a subscription, and the position after them. */
export interface ResultSource {
  /** The cursor after the last result that was written. It is updated before the sink's `write` is called. */
  readonly cursor: string;
  /** Writes results to the sink while the sink is ready. Rejects with a GraphQLError for the client if it cannot continue. */
  run(sink: Sink<ExecutionResult>): Promise<void>;
  /** Ends the stream at once. Idempotent. */
  stop(): void;
}

export const isResultSource = (result: ResultSource | ExecutionResult): result is ResultSource => 'run' in result;

/** Keeps little: there may be a hundred thousand of them. */
export class Subscription implements ResultSource, Operation<ExecutionResult> {
  readonly #feed: Feed;
  readonly #args: ValidatedSubscriptionArgs;
  readonly #context: Context;
  readonly shared: SharedExecution | undefined;

  constructor(args: ValidatedSubscriptionArgs, feed: Feed) {
    this.#feed = feed;
    this.#context = args.contextValue as Context;
    const sharing = sharingOf(args);
    // All subscribers with the same key use one shared execution. It keeps no reference to the context of the first one.
    this.shared = sharing && feed.fanOut.once(sharing.key, () => new SharedExecution(args, feed, sharing));
    this.#args = this.shared?.args ?? args;
  }

  get cursor(): string {
    return this.#feed.cursor;
  }

  run(sink: Sink<ExecutionResult>): Promise<void> {
    return this.#feed.run(this, sink).catch((error: unknown) => {
      throw toClientError(error, this.#context.log);
    });
  }

  stop(): void {
    this.#feed.stop();
  }

  /** Called by the feed. */
  async execute(deliveries: readonly Delivery[]): Promise<readonly ExecutionResult[]> {
    const results = this.shared ? await this.shared.execute(deliveries) : [];
    // One context for all deliveries, so that their rows are loaded together.
    let context: Context | undefined;
    return Promise.all(
      deliveries.map((delivery, index) => {
        context ??= results[index] ? undefined : forFeeds(this.#context);
        return results[index] ?? executeEvent(this.#args, delivery, context as Context);
      }),
    );
  }
}

/** The execution for all subscribers with the same key. */
class SharedExecution implements SharedOperation<ExecutionResult> {
  readonly key: string;
  /** The arguments of every subscriber with the same key, except for their contexts and for where they start. */
  readonly args: ValidatedSubscriptionArgs;
  readonly #feed: Pick<Feed, 'fanOut'>;
  readonly #services: Services;
  readonly #covers: Sharing['covers'];

  constructor(args: ValidatedSubscriptionArgs, { fanOut }: Feed, { key, covers }: Sharing) {
    this.key = key;
    this.args = { ...args, contextValue: undefined };
    this.#feed = { fanOut };
    this.#services = forFeeds(servicesOf(args.contextValue as Context));
    this.#covers = covers;
  }

  execute(deliveries: readonly Delivery[]): Promise<readonly (ExecutionResult | undefined)[]> {
    // One context for all entries, so that their rows are loaded together.
    let shared: ReturnType<typeof sharedContext> | undefined;
    const execute = async (entry: LogEntry) => {
      shared ??= sharedContext(this.#services);
      const result = await executeEvent(this.args, entry, shared.context);
      return shared.viewerSeen() ? undefined : result;
    };
    return Promise.all(
      deliveries.map((delivery) => {
        if (delivery.type === 'CaughtUp' || !this.#covers(delivery.type)) return undefined;
        return this.#feed.fanOut.share(delivery, this.key, () => execute(delivery));
      }),
    );
  }
}

/**
 * Executes the operation for one event. Throws if any field failed with an error that is not final, or if errors left no
 * data: writing such a result would move the subscriber past the event. Throws BAD_USER_INPUT if the result is too large.
 */
async function executeEvent(args: ValidatedSubscriptionArgs, event: Delivery, contextValue: Context): Promise<ExecutionResult> {
  const result = await executeSubscriptionEvent({ ...args, rootValue: event, contextValue });
  const causes = result.errors?.map(causeOf) ?? [];
  const passing = causes.find((cause) => !isFinal(cause));
  if (passing) throw passing;
  if (causes.length > 0 && isEmpty(result)) throw causes[0];
  const masked = maskErrors(result, contextValue.log);
  if (isTooLarge(masked)) throw badInput(`${tooLargeMessage} The subscription ends before this event.`);
  return masked;
}

const isEmpty = ({ data }: ExecutionResult) => data == null || Object.values(data).includes(null);

/**
 * A copy of the services, or of a context, that reads through the database connections of feeds. As a copy, it has loaders of
 * its own.
 */
function forFeeds<Of extends Services>(services: Of): Of {
  const { storage } = services;
  const copy = Object.assign(Object.create(Object.getPrototypeOf(services)), services);
  return Object.assign(copy, { storage: { ...storage, reads: () => storage.feedDb, rows: storage.feedRows } });
}
