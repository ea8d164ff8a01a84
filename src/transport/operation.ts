// One operation of a WebSocket: one generation of an id. Once it is cancelled, it sends nothing: its subscription has ended,
// and work that has started continues without its result being sent.

import type { ExecutionResult } from 'graphql';
import type { Sink } from '../feed/delivery.ts';
import { largeSizeOf } from '../schema/answer-size.ts';
import type { ResultSource } from '../schema/subscription.ts';
import type { Connection } from './connection.ts';
import { clientLeft } from './deadline.ts';
import { encode, textFrame, toBytes } from './encode.ts';
import { Lifetime } from './lifetime.ts';

/** The socket as its operations see it. */
export interface OperationSocket {
  readonly connection: Connection;
  /** Whether the server still reads messages from the client. */
  readonly open: boolean;
  /** Whether frames may still be written to the client. */
  readonly writable: boolean;
}

export class Operation implements Sink<ExecutionResult> {
  readonly #id: string;
  readonly #socket: OperationSocket;
  readonly #cancellation = Promise.withResolvers<void>();
  #cancelled = false;
  #source: ResultSource | undefined;
  /** The start of its `next` frames. */
  #head: string | undefined;
  #work: Promise<void> | undefined;
  /** Ends with the deadline or the cancellation. */
  readonly lifetime = new Lifetime();
  /** Bytes of its text and variables, which are kept until it ends. */
  readonly keptBytes: number;
  /** Whether it is a query or mutation, which a stop of the server waits for. */
  isExecution = false;
  /** A `subscribe` with the same id, deferred until graphql-ws has released this operation. */
  deferredSubscribe: string | undefined;

  constructor(id: string, socket: OperationSocket, keptBytes: number) {
    this.#id = id;
    this.keptBytes = keptBytes;
    this.#socket = socket;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Whether it is a subscription that was opened: no work continues after its cancellation. */
  get isOpened(): boolean {
    return this.#source !== undefined;
  }

  /** Whether its client waits for an answer. */
  get wanted(): boolean {
    return !this.#cancelled && this.#socket.open;
  }

  get open(): boolean {
    return !this.#cancelled && this.#socket.writable;
  }

  get ready(): boolean {
    return this.open && !this.#socket.connection.full;
  }

  accepts(result: ExecutionResult): boolean {
    return this.#socket.connection.accepts(largeSizeOf(result));
  }

  drained(): Promise<void> {
    return this.#socket.connection.drained();
  }

  // graphql-ws would encode the result again for every subscriber, although only the id differs.
  write(result: ExecutionResult): void {
    this.#head ??= toBytes(`{"id":${JSON.stringify(this.#id)},"type":"next","payload":`);
    this.#socket.connection.write(textFrame(`${this.#head}${encode(result)}}`));
  }

  /** Settles when the work that is under way for it ends. A cancellation does not end that work. Undefined if there is none. */
  get work(): Promise<void> | undefined {
    return this.#work;
  }

  track(work: Promise<unknown>): void {
    const end = () => {
      this.#work = undefined;
    };
    this.#work = work.then(end, end);
  }

  /** Writes all results of a source. Resolves as soon as the operation is cancelled. */
  async deliver(source: ResultSource): Promise<void> {
    this.#source = source;
    if (this.#cancelled) source.stop();
    else await source.run(this);
  }

  /** What `work` resolves to, or `otherwise` as soon as the operation is cancelled. The work itself continues. */
  untilCancelled<Result>(work: Promise<Result>, otherwise: Result): Promise<Result> {
    return Promise.race([work, this.#cancellation.promise.then(() => otherwise)]);
  }

  cancel(): void {
    this.#cancelled = true;
    this.lifetime.end(clientLeft());
    this.#source?.stop();
    this.#cancellation.resolve();
  }
}
