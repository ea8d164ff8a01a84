// The operations of one WebSocket, by id and generation. A client may complete an id and use it again at once, but graphql-ws
// knows ids only: it would confuse the second subscription with the first. So a `complete` cancels the current generation, and
// an id goes to graphql-ws again only after graphql-ws has released the previous generation.

import { CloseCode, type Message, MessageType, parseMessage } from 'graphql-ws';
import { type GaplessError, rateLimited } from '../errors.ts';
import { maxIdLength, maxKeptBytes, maxOperations, nestsTooDeeply } from './limits.ts';
import type { MessageRate } from './message-rate.ts';
import { Operation, type OperationSocket } from './operation.ts';
import { leanText } from './subscribe-message.ts';

/**
 * Passes a message to graphql-ws. Resolves when graphql-ws has processed it; for a `subscribe`, when it has released the id.
 * Never rejects.
 */
export type Handle = (message: string) => Promise<void>;

export interface MessageSocket extends OperationSocket {
  readonly rate: MessageRate;
  /** Answers an operation with an error. */
  refuse(id: string, error: GaplessError): void;
  close(code: number, reason: string): void;
}

export class Operations {
  readonly #socket: MessageSocket;
  /**
   * The operations whose id graphql-ws knows, and those whose work has not ended: `isKnown`, `isUnderWay`. An array that is
   * replaced, because a map and a set for the one operation of most sockets would be larger than the operation.
   */
  #all: readonly Operation[] = none;

  constructor(socket: MessageSocket) {
    this.#socket = socket;
  }

  /** The current generation of an id. */
  current(id: string): Operation | undefined {
    return this.#all.find((operation) => operation.isKnown && operation.id === id);
  }

  /** Receives a message of the client, and passes it to graphql-ws when its turn comes. */
  receive(text: string, handle: Handle): void {
    const message = parse(text);
    if (message && 'id' in message && message.id.length > maxIdLength) {
      this.#socket.close(CloseCode.BadRequest, `The id of an operation may have ${maxIdLength} characters`);
    } else if (message?.type === MessageType.Subscribe) {
      // While the server is stopping, it starts no new operation. The client sends it again after it has reconnected.
      if (this.#socket.open) this.#subscribe(message.id, leanText(message, text), handle);
    } else if (message?.type === MessageType.Complete) this.#complete(message.id, text, handle);
    else if (message && isClientMessage(message)) void handle(text);
    else this.#socket.close(CloseCode.BadRequest, 'Invalid message received');
  }

  /** Cancels every operation. */
  cancelAll(): void {
    for (const operation of this.#all) {
      if (!operation.isKnown) continue;
      operation.deferredSubscribe = undefined;
      operation.cancel();
    }
  }

  /** Resolves once no query or mutation is under way. */
  async finished(): Promise<void> {
    await Promise.all(this.#all.map(({ isExecution, isUnderWay, work }) => (isExecution && isUnderWay ? work : undefined)));
  }

  #subscribe(id: string, text: string, handle: Handle): void {
    const operation = this.current(id);
    if (operation && (!operation.cancelled || operation.deferredSubscribe !== undefined)) {
      this.#socket.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
      return;
    }
    const waitMs = this.#socket.rate.countOperation();
    if (waitMs > 0) this.#socket.refuse(id, rateLimited(tooOften, waitMs));
    else if (this.#keptBytes + Buffer.byteLength(text) > maxKeptBytes) this.#socket.refuse(id, rateLimited(tooLarge));
    else if (operation) operation.deferredSubscribe = text;
    else this.#begin(id, text, handle);
  }

  #complete(id: string, text: string, handle: Handle): void {
    const operation = this.current(id);
    if (!operation) return;
    operation.deferredSubscribe = undefined;
    if (operation.cancelled) return;
    // graphql-ws first: it answers nothing for an id that it no longer knows.
    void handle(text);
    operation.cancel();
    if (operation.isOpened) operation.isUnderWay = false;
  }

  /** Bytes of the operations under way, and of those that wait for their id. */
  get #keptBytes(): number {
    let bytes = 0;
    for (const { isKnown, isUnderWay, keptBytes, deferredSubscribe } of this.#all) {
      if (isUnderWay) bytes += keptBytes;
      if (isKnown && deferredSubscribe !== undefined) bytes += Buffer.byteLength(deferredSubscribe);
    }
    return bytes;
  }

  #begin(id: string, text: string, handle: Handle): void {
    if (this.#all.filter(({ isUnderWay }) => isUnderWay).length >= maxOperations) {
      this.#socket.refuse(id, rateLimited(tooMany));
      return;
    }
    const operation = new Operation(id, this.#socket, Buffer.byteLength(text));
    this.#all = this.#all.concat(operation);
    void handle(text).then(() => this.#release(operation, handle));
  }

  /** Called when graphql-ws has released the id of an operation. */
  async #release(operation: Operation, handle: Handle): Promise<void> {
    operation.isKnown = false;
    const { id, deferredSubscribe } = operation;
    if (deferredSubscribe !== undefined && this.#socket.open) this.#begin(id, deferredSubscribe, handle);
    await operation.work;
    operation.isUnderWay = false;
    this.#all = this.#all.filter(({ isKnown, isUnderWay }) => isKnown || isUnderWay);
  }
}

const none: readonly Operation[] = [];

const tooOften = 'Operations were sent too often on this socket.';
const tooMany = `A socket may have ${maxOperations} operations under way at once: wait until some have ended.`;
const tooLarge = `The operations under way on a socket may have ${maxKeptBytes} bytes: wait until some have ended.`;

function parse(text: string): Message | undefined {
  try {
    return parseMessage(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether a client may send this message. Deeply nested payloads are refused, because graphql-ws returns the payload of a ping
 * in its pong.
 */
function isClientMessage(message: Message): boolean {
  const { type } = message;
  if (type !== MessageType.ConnectionInit && type !== MessageType.Ping && type !== MessageType.Pong) return false;
  return !nestsTooDeeply(message.payload);
}
