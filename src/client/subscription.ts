// One subscription that goes on: behind the event that it handed over last, through whatever breaks.

import { type Backoff, defaultBackoff, waitBefore } from './backoff.ts';
import { errorCode, retryAfterMs } from './error-code.ts';
import { faultOf, isRoomEvents, withoutCursor } from './selection.ts';
import type { Payload, Result, Sink, Subscriber } from './subscriber.ts';

/**
 * Where a subscription is:
 * - `connecting`: the server has yet to say something, at first or after a break;
 * - `behind`: what was missed is being handed over;
 * - `live`: nothing is missing. Told by CaughtUp of roomEvents; messageAdded has none, and is called live from its first
 *   message on;
 * - `expired`: it has ended with CURSOR_EXPIRED. What lies between is not kept: reload the page, and subscribe from its
 *   syncCursor.
 */
export type Status = 'connecting' | 'behind' | 'live' | 'expired';

export interface ResumableOptions {
  /** Called with each change of a subscription’s status. */
  readonly onStatus?: ((status: Status, payload: Payload) => void) | undefined;
  /** Called with what broke a subscription, before it is tried again: a GraphQL error that passes, a close of the socket. */
  readonly onBreak?: ((error: unknown, payload: Payload) => void) | undefined;
  /**
   * Called where the token is refused or has expired, and waited for before the next try, which takes the new one from
   * where the subscriber has its tokens. Without this, or where it throws, UNAUTHENTICATED ends the subscription.
   */
  readonly renewToken?: (() => unknown) | undefined;
  /** Waits between tries. By default up to 500 ms before the second, and up to 15 s before any. */
  readonly backoff?: Partial<Backoff> | undefined;
}

export interface ResumableSink<Value = Result> extends Sink<Value> {
  /** Called with each change of this subscription’s status. */
  status?(status: Status): void;
}

/** Cursors that are remembered, so that what is handed over twice by whoever is below is dropped. */
const maxSeen = 1000;

/** What another try cannot change. */
const finalCodes = ['BAD_USER_INPUT', 'CONFLICT', 'CURSOR_EXPIRED', 'CURSOR_INVALID', 'FORBIDDEN', 'NOT_FOUND'] as const;

/** Where this runs in a browser, which says when it is online again. */
const page: Partial<Record<'addEventListener' | 'removeEventListener', (type: 'online', listener: () => void) => void>> = globalThis;

interface RootEvent {
  readonly __typename?: unknown;
  readonly cursor?: unknown;
}

/** One subscription, from its beginning to its end, over as many tries as that takes. */
export class Subscription {
  readonly #subscriber: Subscriber;
  readonly #sink: ResumableSink;
  readonly #options: ResumableOptions;
  readonly #backoff: Backoff;
  readonly #isRoomEvents: boolean;
  /** The one object that travels with every try, also with those that the subscriber makes by itself. */
  readonly #variables: Record<string, unknown>;
  readonly #payload: Payload;
  readonly #seen = new Set<string>();
  #status: Status | undefined;
  /** Of the try that is under way. What an earlier one still says is not heard. */
  #try = 0;
  /** Tries since something was last handed over. */
  #failures = 0;
  #unsubscribe: () => void = () => {};
  #wakeUp: () => void = () => {};
  readonly #retryNow = () => this.#wakeUp();
  #ended = false;

  constructor(subscriber: Subscriber, payload: Payload, sink: ResumableSink, options: ResumableOptions) {
    this.#subscriber = subscriber;
    this.#sink = sink;
    this.#options = options;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#isRoomEvents = isRoomEvents(payload.query);
    this.#variables = { ...payload.variables };
    this.#payload = { ...payload, variables: this.#variables };
    const fault = faultOf(payload.query);
    if (fault === undefined) this.#begin();
    else this.#fail(new TypeError(fault));
  }

  end(): void {
    this.#ended = true;
    this.#wakeUp();
    this.#unsubscribe();
  }

  #begin(): void {
    const attempt = ++this.#try;
    const heard =
      <Args extends unknown[]>(handle: (...args: Args) => void) =>
      (...args: Args) => {
        if (attempt === this.#try && !this.#ended) handle(...args);
      };
    /** A refusal comes as a result, and `complete` behind it. */
    let refusal: Result['errors'];
    this.#tell('connecting');
    this.#unsubscribe = this.#subscriber.subscribe(this.#payload, {
      next: heard((result: Result) => {
        const [event] = Object.values(result.data ?? {}) as (RootEvent | null)[];
        if (event) this.#hear(event, result);
        else refusal = result.errors ?? refusal;
      }),
      // An event stream that is refused midway says why, and is cut off.
      error: heard((error) => void this.#onBreak(refusal ?? error)),
      complete: heard(() => (refusal ? void this.#onBreak(refusal) : this.#complete())),
    });
  }

  #hear(event: RootEvent, result: Result): void {
    const { cursor } = event;
    if (typeof cursor !== 'string') {
      this.#fail(new TypeError(withoutCursor));
      return;
    }
    const caughtUp = event.__typename === 'CaughtUp';
    const repeated = !caughtUp && this.#seen.has(cursor);
    this.#failures = 0;
    this.#variables['after'] = cursor;
    if (!caughtUp) this.#remember(cursor);
    if (!caughtUp && this.#isRoomEvents && this.#status === 'connecting') this.#tell('behind');
    if (!repeated) this.#sink.next(result);
    if (caughtUp || !this.#isRoomEvents) this.#tell('live');
  }

  #remember(cursor: string): void {
    this.#seen.add(cursor);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= maxSeen) break;
      this.#seen.delete(oldest);
    }
  }

  async #onBreak(error: unknown): Promise<void> {
    // Whoever is below has let go of it, or will not be heard any more.
    this.#try += 1;
    const code = errorCode(error);
    if (finalCodes.some((final) => final === code)) return this.#fail(error);
    this.#tell('connecting');
    this.#options.onBreak?.(error, this.#payload);
    if (code === 'UNAUTHENTICATED') {
      try {
        if (!this.#options.renewToken) return this.#fail(error);
        await this.#options.renewToken();
      } catch (failure) {
        return this.#fail(failure);
      }
    }
    await this.#wait(waitBefore(this.#failures++, this.#backoff, retryAfterMs(error)));
    if (!this.#ended) this.#begin();
  }

  /** Waits, and no longer than until the browser says that it is online again, or the subscription is ended. */
  async #wait(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#wakeUp = resolve;
      page.addEventListener?.('online', this.#retryNow);
    });
    page.removeEventListener?.('online', this.#retryNow);
    clearTimeout(timer);
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    if (errorCode(error) === 'CURSOR_EXPIRED') this.#tell('expired');
    this.#close();
    this.#sink.error(error);
  }

  #complete(): void {
    this.#close();
    this.#sink.complete();
  }

  #close(): void {
    this.#ended = true;
    this.#unsubscribe();
  }

  #tell(status: Status): void {
    if (this.#ended || this.#status === status) return;
    this.#status = status;
    this.#sink.status?.(status);
    this.#options.onStatus?.(status, this.#payload);
  }
}
