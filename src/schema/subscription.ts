// The results of a subscription. A result that is the same for everyone is executed once for all subscribers that are at
// that entry. A failed execution delivers nothing and moves nothing.

import { type ExecutionResult, executeSubscriptionEvent, type ValidatedSubscriptionArgs } from 'graphql';
import { isFinal } from '../errors.ts';
import type { Delivery, Operation, SharedOperation, Sink } from '../feed/delivery.ts';
import type { Feed } from '../feed/feed.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { type Context, type Services, servicesOf } from './context.ts';
import { causeOf, maskErrors, toClientError } from './error-code.ts';
import { type Sharing, sharedContext, sharingOf } from './sharing.ts';

/** Where the results of a subscription come from. */
export interface ResultSource {
  /** The cursor after the last result that was written. It has moved already when the sink's `write` is called. */
  readonly cursor: string;
  /** Writes the results into the sink, no faster than it is ready. Rejects with a GraphQLError for the client if it cannot go on. */
  run(sink: Sink<ExecutionResult>): Promise<void>;
  /** Ends it at once. Idempotent. */
  stop(): void;
}

export const isResultSource = (result: ResultSource | ExecutionResult): result is ResultSource => 'run' in result;

export class Subscription implements ResultSource {
  readonly #feed: Feed;
  readonly #context: Context;
  readonly #operation: Operation<ExecutionResult>;

  constructor(args: ValidatedSubscriptionArgs, feed: Feed) {
    this.#feed = feed;
    this.#context = args.contextValue as Context;
    const sharing = sharingOf(args);
    // Ten thousand subscribers that ask for the same keep the shared operation once, and nothing of the first of them.
    const shared = sharing && feed.fanOut.once(sharing.key, () => new SharedExecution(args, feed, sharing));
    this.#operation = { shared, execute: (delivery) => this.#execute(args, shared, delivery) };
  }

  get cursor(): string {
    return this.#feed.cursor;
  }

  async run(sink: Sink<ExecutionResult>): Promise<void> {
    try {
      await this.#feed.run(this.#operation, sink);
    } catch (error) {
      throw toClientError(error, this.#context.log);
    }
  }

  stop(): void {
    this.#feed.stop();
  }

  async #execute(args: ValidatedSubscriptionArgs, shared: SharedExecution | undefined, delivery: Delivery): Promise<ExecutionResult> {
    if (shared && delivery.type !== 'CaughtUp') {
      const [result] = await shared.execute([delivery]);
      if (result) return result;
    }
    return executeEvent(args, delivery, forFeeds(this.#context));
  }
}

/** The execution for all subscribers that ask for the same. */
class SharedExecution implements SharedOperation<ExecutionResult> {
  readonly key: string;
  readonly #args: ValidatedSubscriptionArgs;
  readonly #feed: Pick<Feed, 'fanOut'>;
  readonly #services: Services;
  readonly #covers: Sharing['covers'];

  constructor(args: ValidatedSubscriptionArgs, { fanOut }: Feed, { key, covers }: Sharing) {
    this.key = key;
    this.#args = { ...args, contextValue: undefined };
    this.#feed = { fanOut };
    this.#services = forFeeds(servicesOf(args.contextValue as Context));
    this.#covers = covers;
  }

  execute(entries: readonly LogEntry[]): Promise<readonly (ExecutionResult | undefined)[]> {
    // One context for all of the entries, so that their rows are loaded together.
    let shared: ReturnType<typeof sharedContext> | undefined;
    const execute = async (entry: LogEntry) => {
      shared ??= sharedContext(this.#services);
      const result = await executeEvent(this.#args, entry, shared.context);
      return shared.viewerSeen() ? undefined : result;
    };
    return Promise.all(
      entries.map((entry) => (this.#covers(entry.type) ? this.#feed.fanOut.share(entry, this.key, () => execute(entry)) : undefined)),
    );
  }
}

/**
 * Executes the operation for one event. Throws if any part of it failed in passing, or if an error left nothing to deliver:
 * a result that was written would move the subscriber past the event.
 */
async function executeEvent(args: ValidatedSubscriptionArgs, event: Delivery, contextValue: Context): Promise<ExecutionResult> {
  const result = await executeSubscriptionEvent({ ...args, rootValue: event, contextValue });
  const causes = result.errors?.map(causeOf) ?? [];
  const passing = causes.find((cause) => !isFinal(cause));
  if (passing) throw passing;
  if (causes.length > 0 && isEmpty(result)) throw causes[0];
  return maskErrors(result, contextValue.log);
}

const isEmpty = ({ data }: ExecutionResult) => data == null || Object.values(data).includes(null);

/** For reads on behalf of feeds, which have connections of their own. A copy, so that each event has loaders of its own. */
const forFeeds = <Of extends Services>({ storage, ...rest }: Of): Of =>
  ({ ...rest, storage: { ...storage, db: storage.feedDb, rows: storage.feedRows } }) as unknown as Of;
