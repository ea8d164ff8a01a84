// The main thread's end of the thread that runs PGlite. A thread that has died fails all of its requests.

import { Worker } from 'node:worker_threads';

export interface Result {
  readonly rows: unknown[];
  readonly affectedRows: number | undefined;
}

export type Request =
  | { readonly type: 'query'; readonly id: number; readonly text: string; readonly parameters: unknown[] }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'close' };

/** A reply without a result and without an error answers a ping. */
export interface Reply {
  readonly id: number;
  readonly result?: Result;
  readonly error?: { readonly message: string; readonly code: string | undefined; readonly constraint: string | undefined };
}

/** How long the thread may take to close the database. */
const closeMs = 2500;

export class EmbeddedThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<Result | undefined>>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #error: unknown;
  #failure: Error | undefined;

  /** Opens the database in `folder`. Requests wait until it is open. */
  constructor(folder: string) {
    this.#worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), { workerData: { folder } });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve)).then(() => this.#fail());
  }

  /** Why the thread has ended. Undefined while it runs; until then no other thread may open the folder. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  async query(text: string, parameters: readonly unknown[] = []): Promise<Result> {
    return (await this.#ask((id) => ({ type: 'query', id, text, parameters: [...parameters] }))) as Result;
  }

  /** Resolves when the thread has finished what it is doing now. Throws if it has ended. */
  async ping(): Promise<void> {
    await this.#ask((id) => ({ type: 'ping', id }));
  }

  /** Closes the database after the earlier requests, and ends the thread. */
  async close(): Promise<void> {
    this.#worker.postMessage({ type: 'close' } satisfies Request);
    const timer = setTimeout(() => this.terminate(), closeMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Ends the thread in the middle of what it does, as a crash would. Nothing that was committed is lost. */
  terminate(): void {
    void this.#worker.terminate();
  }

  #ask(requestOf: (id: number) => Request): Promise<Result | undefined> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = Promise.withResolvers<Result | undefined>();
    this.#waiting.set(id, answer);
    try {
      this.#worker.postMessage(requestOf(id));
    } catch (error) {
      // A parameter that cannot be sent to another thread.
      this.#waiting.delete(id);
      answer.reject(error);
    }
    return answer.promise;
  }

  #settle({ id, result, error }: Reply): void {
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) answer?.reject(Object.assign(new Error(error.message), { code: error.code, constraint: error.constraint }));
    else answer?.resolve(result);
  }

  #fail(): void {
    const reason = this.#error instanceof Error ? `: ${this.#error.message}` : '';
    this.#failure = new Error(`the thread of the embedded database has ended${reason}`, { cause: this.#error });
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
