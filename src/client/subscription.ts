// One subscription over as many attempts as it takes. Its position moves only with an event that it delivers, so each
// attempt continues after the last delivered event.

import { Attempt, type RootEvent } from './attempt.ts';
import { type Backoff, backoffOf, waitBefore } from './backoff.ts';
import { errorCode, isFinal, isSignedOut, retryAfterMs } from './error-code.ts';
import { callListener } from './listener.ts';
import { caughtUpOf, type FieldThatCatchesUp, faultOf, findFieldThatCatchesUp, missingCursor } from './selection.ts';
import type { Payload, Result, Sink, Subscriber } from './subscriber.ts';

/**
 * The state of a subscription:
 * - `connecting`: the server has not sent anything yet, at the start or after a break.
 * - `lagging`: missed events are being delivered.
 * - `live`: nothing is missing. CaughtUp of roomEvents and ViewerCaughtUp of viewerEvents report it. messageAdded has no such
 *   event, and is live from its first message on.
 * - `expired`: the subscription has ended with CURSOR_EXPIRED. The server no longer has the events after the cursor: reload
 *   the page and subscribe from its syncCursor.
 * - `signedOut`: the subscription has ended because its session was signed out, here or elsewhere.
 * - `refused`: the subscription has ended because the server refused its token, and there is no way to get another one.
 */
export type Status = 'connecting' | 'lagging' | 'live' | 'expired' | 'signedOut' | 'refused';

/** What a callback throws is reported as an uncaught exception. The subscription continues. Only `renewToken` may fail. */
export interface ResumableOptions {
  /** Called when the status of a subscription changes. */
  readonly onStatus?: ((status: Status, payload: Payload) => void) | undefined;
  /** Called with the error that broke a subscription, before the next attempt: a passing GraphQL error or a closed socket. */
  readonly onBreak?: ((error: unknown, payload: Payload) => void) | undefined;
  /**
   * Gets a new token, and stores it where the subscriber reads its tokens. Called if the token was refused or has expired: the
   * next attempt waits for it. If it throws or rejects, it is called again after a while, unless its error has a final code
   * or UNAUTHENTICATED, as the error of a request to the server can have: the subscription then ends with that error. Without
   * `renewToken`, UNAUTHENTICATED ends the subscription.
   *
   * Over a graphql-ws client, it is also called 30 s before the token expires. If it returns the new token, without `Bearer`,
   * the connection continues with it, and no subscription notices.
   */
  readonly renewToken?: (() => unknown) | undefined;
  /** Waits between attempts. Default: up to 500 ms before the second attempt, doubling, and never more than 15 s. */
  readonly backoff?: Partial<Backoff> | undefined;
}

/** An event counts as delivered when `next` was called with it, also if `next` throws: it is not delivered again. */
export interface ResumableSink<Value = Result> extends Sink<Value> {
  /** Called when the status of this subscription changes. */
  status?(status: Status): void;
}

/** Maximum number of cursors that are remembered to drop repeated events. */
const maxSeen = 1000;

/** The window of a browser, which reports when the network is back. Node has no such events. */
const page: Partial<Record<'addEventListener' | 'removeEventListener', (type: 'online', listener: () => void) => void>> = globalThis;

export class Subscription {
  readonly #subscriber: Subscriber;
  readonly #sink: ResumableSink;
  readonly #options: ResumableOptions;
  readonly #backoff: Backoff;
  /** Undefined for messageAdded. */
  readonly #field: FieldThatCatchesUp | undefined;
  /** Every attempt sends this very object, so that a subscriber that reconnects by itself sends the current position. */
  readonly #variables: Record<string, unknown>;
  readonly #payload: Payload;
  readonly #seen = new Set<string>();
  #status: Status | undefined;
  #attempt: Attempt | undefined;
  /** Failed attempts since the last delivered event. */
  #failures = 0;
  #wakeUp: () => void = () => {};
  readonly #retryNow = () => this.#wakeUp();
  #ended = false;

  constructor(subscriber: Subscriber, payload: Payload, sink: ResumableSink, options: ResumableOptions) {
    this.#subscriber = subscriber;
    this.#sink = sink;
    this.#options = options;
    this.#backoff = backoffOf(options);
    this.#field = findFieldThatCatchesUp(payload.query);
    this.#variables = { ...payload.variables };
    this.#payload = { ...payload, variables: this.#variables };
    const fault = faultOf(payload.query);
    if (fault === undefined) this.#start();
    else this.#fail(new TypeError(fault));
  }

  /** No callback is called afterwards. */
  end(): void {
    this.#ended = true;
    this.#wakeUp();
    this.#attempt?.drop();
  }

  #start(): void {
    this.#setStatus('connecting');
    this.#attempt = new Attempt(this.#subscriber, this.#payload, {
      event: (event, result) => this.#receive(event, result),
      broken: (error) => void this.#recover(error),
      complete: () => this.#finish(() => this.#sink.complete()),
    });
    this.#attempt.start();
  }

  #receive(event: RootEvent, result: Result): void {
    const { cursor } = event;
    if (typeof cursor !== 'string') {
      this.#fail(new TypeError(missingCursor));
      return;
    }
    const caughtUp = this.#field !== undefined && event.__typename === caughtUpOf[this.#field];
    // CaughtUp has the cursor of the entry before it, and the events of viewerEvents share the cursor of their moment.
    const isUnique = !caughtUp && this.#field !== 'viewerEvents';
    if (!caughtUp && this.#field && this.#status === 'connecting') this.#setStatus('lagging');
    if (!isUnique || !this.#seen.has(cursor)) this.#deliver(cursor, result);
    if (isUnique) this.#remember(cursor);
    if (caughtUp || !this.#field) this.#setStatus('live');
  }

  #deliver(cursor: string, result: Result): void {
    this.#failures = 0;
    this.#variables['after'] = cursor;
    this.#call(() => this.#sink.next(result));
  }

  #remember(cursor: string): void {
    this.#seen.add(cursor);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= maxSeen) break;
      this.#seen.delete(oldest);
    }
  }

  /** Ends the subscription if the error is final, and starts the next attempt after every other error. */
  async #recover(error: unknown): Promise<void> {
    if (isFinal(error)) return this.#fail(error);
    this.#setStatus('connecting');
    this.#call(() => this.#options.onBreak?.(error, this.#payload));
    if (errorCode(error) === 'UNAUTHENTICATED' && !this.#ended) {
      const refusal = await this.#renewToken(error);
      if (refusal) return this.#fail(refusal.error, error);
    }
    await this.#wait(waitBefore(this.#failures++, this.#backoff, retryAfterMs(error)));
    if (!this.#ended) this.#start();
  }

  /** Resolves with the error that ends the subscription, or with undefined once there is a new token. */
  async #renewToken(refused: unknown): Promise<{ readonly error: unknown } | undefined> {
    const { renewToken } = this.#options;
    if (!renewToken) return { error: refused };
    while (!this.#ended) {
      try {
        await renewToken();
        return undefined;
      } catch (error) {
        if (isFinal(error) || errorCode(error) === 'UNAUTHENTICATED') return { error };
        this.#call(() => this.#options.onBreak?.(error, this.#payload));
      }
    }
    return undefined;
  }

  /** Waits, but not longer than until the browser is online again or the subscription is ended. */
  async #wait(ms: number): Promise<void> {
    if (this.#ended) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#wakeUp = resolve;
      page.addEventListener?.('online', this.#retryNow);
    });
    page.removeEventListener?.('online', this.#retryNow);
    clearTimeout(timer);
  }

  /** `cause` is the error of the server, if `error` is that of the application. */
  #fail(error: unknown, cause = error): void {
    const code = errorCode(cause);
    if (code === 'CURSOR_EXPIRED') this.#setStatus('expired');
    if (code === 'UNAUTHENTICATED') this.#setStatus(isSignedOut(cause) ? 'signedOut' : 'refused');
    this.#finish(() => this.#sink.error(error));
  }

  #finish(report: () => void): void {
    if (this.#ended) return;
    this.end();
    callListener(report);
  }

  #setStatus(status: Status): void {
    if (this.#ended || this.#status === status) return;
    this.#status = status;
    this.#call(() => this.#sink.status?.(status));
    this.#call(() => this.#options.onStatus?.(status, this.#payload));
  }

  /** Calls a callback, unless an earlier one has ended the subscription. */
  #call(callback: () => void): void {
    if (!this.#ended) callListener(callback);
  }
}
