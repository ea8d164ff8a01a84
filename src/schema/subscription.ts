// What comes of a subscription: a result for each of its events. What is the same for everyone is executed once for all who
// are at that event; and those at the head of a room need not even ask for it.

import { type ExecutionResult, executeSubscriptionEvent, type ValidatedSubscriptionArgs } from 'graphql';
import { GaplessError } from '../errors.ts';
import type { Delivery, Sink } from '../feed/delivery.ts';
import type { Feed } from '../feed/feed.ts';
import { encodeCursor } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { isUnavailable } from '../storage/unavailable.ts';
import type { Context } from './context.ts';
import { causeOf, maskErrors, toClientError } from './error-code.ts';
import { type Sharing, sharedContext, sharingOf } from './sharing.ts';

/** What a subscription asks for, and what those who ask for the same have in common, if anything. */
interface Asked {
  readonly sharing: Sharing | undefined;
  readonly args: ValidatedSubscriptionArgs;
}

type Shared = readonly (ExecutionResult | undefined)[];

/** Results that are run into a sink. */
export class Subscription {
  readonly #feed: Feed;
  readonly #context: Context;
  readonly #asked: Asked;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;

  constructor(args: ValidatedSubscriptionArgs, feed: Feed) {
    const sharing = sharingOf(args);
    this.#feed = feed;
    this.#context = args.contextValue as Context;
    // Ten thousand who ask for the same keep it once.
    this.#asked = sharing
      ? feed.fanOut.once(sharing.key, () => ({ sharing, args: { ...args, contextValue: undefined } }))
      : { sharing, args };
  }

  get cursor(): string {
    return encodeCursor(this.#feed.roomId, this.#feed.position);
  }

  async run(sink: Sink<ExecutionResult>): Promise<void> {
    try {
      for (;;) {
        while (!sink.ready && !this.#isStopped) await this.#drained(sink);
        if (this.#isStopped) return;
        const following = this.#follow(sink);
        if (following) {
          await following;
          continue;
        }
        const { done, value: event } = await this.#feed.next();
        if (done) return;
        const result = await this.#feed.retry(() => this.#execute(event));
        while (!sink.ready && !this.#isStopped) await this.#drained(sink);
        if (this.#isStopped) return;
        sink.write(result);
      }
    } catch (error) {
      if (this.#isStopped) return;
      this.stop();
      throw toClientError(error, this.#context.log);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopped.resolve();
    void this.#feed.return();
  }

  #drained(sink: Sink<ExecutionResult>): Promise<void> {
    return Promise.race([sink.drained(), this.#stopped.promise]);
  }

  #follow(sink: Sink<ExecutionResult>): Promise<void> | undefined {
    const { sharing } = this.#asked;
    return sharing && this.#feed.follow(sharing.key, (entries) => this.#executeShared(sharing, entries), sink);
  }

  async #execute(event: Delivery): Promise<ExecutionResult> {
    const { sharing } = this.#asked;
    if (sharing && event.type !== 'CaughtUp') {
      const [shared] = await this.#executeShared(sharing, [event]);
      if (shared) return shared;
    }
    return this.#executeWith(event, ofFeed(this.#context));
  }

  /** What all of them are shown of the entries; undefined of one where it depends on the viewer, or the viewer was looked at. */
  #executeShared({ key, covers }: Sharing, entries: readonly LogEntry[]): Promise<Shared> {
    // One context for all of them, so that what they show is loaded together: it is of the same moment.
    let shared: ReturnType<typeof sharedContext> | undefined;
    const execute = async (entry: LogEntry) => {
      shared ??= sharedContext(ofFeed(this.#context));
      const result = await this.#executeWith(entry, shared.context);
      return shared.viewerSeen() ? undefined : result;
    };
    const share = (entry: LogEntry) => (covers(entry.type) ? this.#feed.fanOut.share(entry, key, () => execute(entry)) : undefined);
    return Promise.all(entries.map(share));
  }

  async #executeWith(event: Delivery, contextValue: Context): Promise<ExecutionResult> {
    const result = await executeSubscriptionEvent({ ...this.#asked.args, rootValue: event, contextValue });
    // Either the database is away, or what the event is about has been removed: handed over, it would be passed by.
    const fatal = result.errors?.map(causeOf).find((cause) => isUnavailable(cause) || isExpired(cause));
    if (fatal) throw fatal;
    return maskErrors(result, contextValue.log);
  }
}

/** The context for what is read for those who watch. */
const ofFeed = ({ storage, ...context }: Context): Context => ({
  ...context,
  storage: { ...storage, db: storage.feedDb, rows: storage.feedRows },
});

const isExpired = (cause: unknown) => cause instanceof GaplessError && cause.code === 'CURSOR_EXPIRED';
