// The results of a subscription. A result that is the same for every viewer is executed once for all subscribers at that
// entry. A failed execution delivers nothing and leaves the position unchanged.

import { type ExecutionResult, executeSubscriptionEvent, type ValidatedSubscriptionArgs } from 'graphql';
import { badInput, isFinal } from '../errors.ts';
import type { EventSource, Operation, SharedOperation, Sharer, Sink } from '../feed/delivery.ts';
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

interface Event {
  readonly type: string;
}

/** Keeps little: there may be a hundred thousand of them. */
export class Subscription<Of extends Event, Shared extends Of> implements ResultSource, Operation<ExecutionResult, Of, Shared> {
  readonly #source: EventSource<Of, Shared>;
  readonly #args: ValidatedSubscriptionArgs;
  readonly #context: Context;
  readonly shared: SharedExecution<Of, Shared> | undefined;

  constructor(args: ValidatedSubscriptionArgs, source: EventSource<Of, Shared>) {
    this.#source = source;
    this.#context = args.contextValue as Context;
    const sharing = sharingOf(args);
    // All subscribers with the same key use one shared execution. It keeps no reference to the context of the first one.
    this.shared = sharing && source.fanOut.once(sharing.key, () => new SharedExecution(args, source.fanOut, sharing));
    this.#args = this.shared?.args ?? args;
  }

  get cursor(): string {
    return this.#source.cursor;
  }

  run(sink: Sink<ExecutionResult>): Promise<void> {
    return this.#source.run(this, sink).catch((error: unknown) => {
      throw toClientError(error, this.#context.log);
    });
  }

  stop(): void {
    this.#source.stop();
  }

  /** Called by the source. */
  async execute(events: readonly Of[]): Promise<readonly ExecutionResult[]> {
    const results = this.shared ? await this.shared.execute(events) : [];
    // One context for all events, so that their rows are loaded together.
    let context: Context | undefined;
    return Promise.all(
      events.map((event, index) => {
        context ??= results[index] ? undefined : forFeeds(this.#context);
        return results[index] ?? executeEvent(this.#args, event, context as Context);
      }),
    );
  }
}

/** The execution for all subscribers with the same key. */
class SharedExecution<Of extends Event, Shared extends Of> implements SharedOperation<ExecutionResult, Of> {
  readonly key: string;
  /** The arguments of every subscriber with the same key, except for their contexts and for where they start. */
  readonly args: ValidatedSubscriptionArgs;
  readonly #sharer: Sharer<Of, Shared>;
  readonly #services: Services;
  readonly #covers: Sharing['covers'];

  constructor(args: ValidatedSubscriptionArgs, sharer: Sharer<Of, Shared>, { key, covers }: Sharing) {
    this.key = key;
    this.args = { ...args, contextValue: undefined };
    this.#sharer = sharer;
    this.#services = forFeeds(servicesOf(args.contextValue as Context));
    this.#covers = covers;
  }

  execute(events: readonly Of[]): Promise<readonly (ExecutionResult | undefined)[]> {
    // One context for all events, so that their rows are loaded together.
    let shared: ReturnType<typeof sharedContext> | undefined;
    const execute = async (event: Shared) => {
      shared ??= sharedContext(this.#services);
      const { context, viewerSeen } = shared;
      try {
        const result = await executeEvent(this.args, event, context);
        return viewerSeen() ? undefined : result;
      } catch (error) {
        // What needs a viewer fails without one.
        if (viewerSeen()) return undefined;
        throw error;
      }
    };
    return Promise.all(
      events.map((event) => {
        if (!this.#sharer.mayShare(event) || !this.#covers(event.type)) return undefined;
        return this.#sharer.share(event, this.key, () => execute(event));
      }),
    );
  }
}

/**
 * Executes the operation for one event. Throws if any field failed with an error that is not final, or if errors left no
 * data: writing such a result would move the subscriber past the event. Throws BAD_USER_INPUT if the result is too large.
 */
async function executeEvent(args: ValidatedSubscriptionArgs, event: Event, contextValue: Context): Promise<ExecutionResult> {
  const result = await executeSubscriptionEvent({ ...args, rootValue: event, contextValue });
  const causes = result.errors?.map(causeOf) ?? [];
  const passing = causes.find((cause) => !isFinal(cause));
  if (passing) throw passing;
  if (causes.length > 0 && isEmpty(result)) throw causes[0];
  if (isTooLarge(result)) throw badInput(`${tooLargeMessage} The subscription ends before this event.`);
  return maskErrors(result, contextValue.log);
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
