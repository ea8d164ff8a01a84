// A subscriber that reads a feed one delivery at a time.

import type { Delivery, SharedOperation, Sink } from '../../src/feed/delivery.ts';
import type { Feed } from '../../src/feed/feed.ts';
import type { Position } from '../../src/storage/cursor.ts';

type Next = IteratorResult<Delivery, undefined>;

export class FeedReader implements AsyncDisposable {
  readonly #feed: Feed;
  readonly #waiting: PromiseWithResolvers<Next>[] = [];
  readonly #running: Promise<void>;
  #wake: () => void = () => {};
  #open = true;
  #end: { readonly error?: unknown } | undefined;

  /** With `shared`, the feed joins the group of its operation while it is at the head. */
  constructor(feed: Feed, shared?: SharedOperation<Delivery>) {
    this.#feed = feed;
    const reader = this;
    const sink: Sink<Delivery> = {
      get open() {
        return reader.#open;
      },
      get ready() {
        return reader.#open && reader.#waiting.length > 0;
      },
      drained: () => new Promise((resolve) => (this.#wake = resolve)),
      write: (delivery) => {
        const next = this.#waiting.shift();
        if (!next) throw new Error('A delivery was written although the sink is not ready.');
        next.resolve({ done: false, value: delivery });
      },
    };
    this.#running = feed.run({ shared, execute: async (deliveries) => deliveries }, sink).then(
      () => this.#onEnd({}),
      (error: unknown) => this.#onEnd({ error }),
    );
  }

  get position(): Position {
    return this.#feed.position;
  }

  /** The next delivery. `done` once the feed has ended. Rejects if it ended with an error. */
  next(): Promise<Next> {
    const next = Promise.withResolvers<Next>();
    this.#waiting.push(next);
    if (this.#end) this.#onEnd(this.#end);
    this.#wake();
    return next.promise;
  }

  /** The next `count` deliveries. Throws if the feed ends before. */
  async take(count: number): Promise<Delivery[]> {
    const taken: Delivery[] = [];
    while (taken.length < count) {
      const { done, value } = await this.next();
      if (done) throw new Error(`The feed ended after ${taken.length} of ${count}.`);
      taken.push(value);
    }
    return taken;
  }

  async stop(): Promise<void> {
    this.#open = false;
    this.#feed.stop();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #onEnd(end: { readonly error?: unknown }): void {
    this.#end = end;
    for (const next of this.#waiting.splice(0)) {
      if ('error' in end) next.reject(end.error);
      else next.resolve({ done: true, value: undefined });
    }
  }
}
