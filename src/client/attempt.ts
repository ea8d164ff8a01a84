// One attempt of a subscription: one call of `subscriber.subscribe`. It reports events until it ends or is dropped, and
// nothing afterwards.

import { callListener } from './listener.ts';
import type { Payload, Result, Subscriber } from './subscriber.ts';

/** The value of the root field of a result. */
export interface RootEvent {
  readonly __typename?: unknown;
  readonly cursor?: unknown;
}

export interface AttemptHandlers {
  event(event: RootEvent, result: Result): void;
  /** The attempt failed. The error is an array of GraphQL errors if the server sent some. */
  broken(error: unknown): void;
  complete(): void;
}

export class Attempt {
  readonly #subscriber: Subscriber;
  readonly #payload: Payload;
  readonly #handlers: AttemptHandlers;
  #unsubscribe: (() => void) | undefined;
  #over = false;

  constructor(subscriber: Subscriber, payload: Payload, handlers: AttemptHandlers) {
    this.#subscriber = subscriber;
    this.#payload = payload;
    this.#handlers = handlers;
  }

  /** A subscriber may call the sink before its `subscribe` returns, and `subscribe` may throw. */
  start(): void {
    try {
      this.#unsubscribe = this.#subscriber.subscribe(this.#payload, {
        next: (result: Result) => {
          const event = eventOf(result);
          if (!event) this.#end(() => this.#handlers.broken(errorOf(result)));
          else if (!this.#over) this.#handlers.event(event, result);
        },
        error: (error) => this.#end(() => this.#handlers.broken(error)),
        complete: () => this.#end(() => this.#handlers.complete()),
      });
    } catch (error) {
      this.#end(() => this.#handlers.broken(error));
    }
  }

  /**
   * Unsubscribes in a microtask: `subscribe` has returned by then, and so has the handler of the message that is being
   * delivered. graphql-ws counts a subscription as released twice if it is unsubscribed while a `complete` for it waits in
   * the same chunk. It then closes the socket under the other subscriptions, and these end as if the server had completed
   * them.
   */
  drop(): void {
    if (this.#over) return;
    this.#over = true;
    queueMicrotask(() => callListener(() => this.#unsubscribe?.()));
  }

  #end(report: () => void): void {
    if (this.#over) return;
    this.drop();
    report();
  }
}

/** Undefined if the root field is null or absent, with or without errors: the server could not resolve the event. */
function eventOf(result: Result | null | undefined): RootEvent | undefined {
  const [event] = Object.values(result?.data ?? {});
  return typeof event === 'object' && event !== null ? event : undefined;
}

function errorOf(result: Result | null | undefined): unknown {
  const errors = result?.errors;
  return Array.isArray(errors) && errors.length > 0 ? errors : new Error('The server sent a result that contains no event.');
}
