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

const nothing = () => {};

/** The socket as its operations see it. */
export interface OperationSocket {
  readonly connection: Connection;
  /** Whether the server still reads messages from the client. */
  readonly open: boolean;
  /** Whether frames may still be written to the client. */
  readonly writable: boolean;
}

export class Operation implements Sink<ExecutionResult> {
  readonly id: string;
  readonly #socket: OperationSocket;
  #cancelled = false;
  #source: ResultSource | undefined;
  /** The start of its `next` frames. */
  #head: string | undefined;
  #work: Promise<void> | undefined;
  #lifetime: Lifetime | undefined;
  /** Bytes of its text and variables, which are kept until it ends. */
  readonly keptBytes: number;
  /** Whether graphql-ws knows its id. */
  isKnown = true;
  /** Whether it counts as under way: it is not cancelled, or its work has not ended. */
  isUnderWay = true;
  /** Whether it is a query or mutation, which a stop of the server waits for. */
  isExecution = false;
  /** A `subscribe` with the same id, deferred until graphql-ws has released this operation. */
  deferredSubscribe: string | undefined;
  /** Called when the operation is cancelled. */
  onCancelled: () => void = nothing;

  constructor(id: string, socket: OperationSocket, keptBytes: number) {
    this.id = id;
    this.keptBytes = keptBytes;
    this.#socket = socket;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Ends with the deadline or the cancellation. Created when it is first needed, which it is not by a subscription. */
  get lifetime(): Lifetime {
    if (!this.#lifetime) {
      this.#lifetime = new Lifetime();
      if (this.#cancelled) this.#lifetime.end(clientLeft());
    }
    return this.#lifetime;
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
    this.#head ??= toBytes(`{"id":${JSON.stringify(this.id)},"type":"next","payload":`);
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
  deliver(source: ResultSource): Promise<void> {
    this.#source = source;
    if (!this.#cancelled) return source.run(this);
    source.stop();
    return Promise.resolve();
  }

  /** What `work` resolves to, or `otherwise` as soon as the operation is cancelled. The work itself continues. */
  untilCancelled<Result>(work: Promise<Result>, otherwise: Result): Promise<Result> {
    if (this.#cancelled) return Promise.resolve(otherwise);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.onCancelled = () => resolve(otherwise);
    work.then(resolve, reject);
    return promise;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#lifetime?.end(clientLeft());
    this.#source?.stop();
    this.onCancelled();
  }
}
