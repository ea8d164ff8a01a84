// The operations of one WebSocket, by id and generation. A client may complete an id and use it again at once, but graphql-ws
// knows ids only: it would confuse the second subscription with the first. So a `complete` cancels the current generation, and
// an id goes to graphql-ws again only after graphql-ws has released the previous generation.

import { CloseCode, type Message, MessageType, parseMessage } from 'graphql-ws';
import { maxOperations, nestsTooDeeply } from './limits.ts';
import { Operation, type OperationSocket } from './operation.ts';

/**
 * Passes a message to graphql-ws. Resolves when graphql-ws has processed it; for a `subscribe`, when it has released the id.
 * Never rejects.
 */
export type Handle = (message: string) => Promise<void>;

export interface MessageSocket extends OperationSocket {
  close(code: number, reason: string): void;
}

export class Operations {
  readonly #socket: MessageSocket;
  /** For each id that graphql-ws knows, its generation. */
  readonly #current = new Map<string, Operation>();
  /** Operations that are not cancelled, and cancelled ones whose work has not ended. */
  readonly #underWay = new Set<Operation>();

  constructor(socket: MessageSocket) {
    this.#socket = socket;
  }

  /** The current generation of an id. */
  current(id: string): Operation | undefined {
    return this.#current.get(id);
  }

  /** Whether more operations are under way than one socket may have. */
  get tooMany(): boolean {
    return this.#underWay.size > maxOperations;
  }

  /** Receives a message of the client, and passes it to graphql-ws when its turn comes. */
  receive(text: string, handle: Handle): void {
    const message = parse(text);
    if (message?.type === MessageType.Subscribe) {
      // While the server is stopping, it starts no new operation. The client sends it again after it has reconnected.
      if (this.#socket.open) this.#subscribe(message.id, text, handle);
    } else if (message?.type === MessageType.Complete) this.#complete(message.id, text, handle);
    else if (message && isClientMessage(message)) void handle(text);
    else this.#socket.close(CloseCode.BadRequest, 'Invalid message received');
  }

  /** Cancels every operation. */
  cancelAll(): void {
    for (const operation of this.#current.values()) {
      operation.deferredSubscribe = undefined;
      operation.cancel();
    }
  }

  /** Resolves once no query or mutation is under way. */
  async finished(): Promise<void> {
    await Promise.all([...this.#underWay].map(({ isExecution, work }) => (isExecution ? work : undefined)));
  }

  #subscribe(id: string, text: string, handle: Handle): void {
    const operation = this.#current.get(id);
    if (!operation) this.#begin(id, text, handle);
    else if (operation.cancelled && operation.deferredSubscribe === undefined) operation.deferredSubscribe = text;
    else this.#socket.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
  }

  #complete(id: string, text: string, handle: Handle): void {
    const operation = this.#current.get(id);
    if (!operation) return;
    operation.deferredSubscribe = undefined;
    if (operation.cancelled) return;
    // graphql-ws first: it answers nothing for an id that it no longer knows.
    void handle(text);
    operation.cancel();
    if (operation.isOpened) this.#underWay.delete(operation);
  }

  #begin(id: string, text: string, handle: Handle): void {
    const operation = new Operation(id, this.#socket);
    this.#current.set(id, operation);
    this.#underWay.add(operation);
    void handle(text).then(async () => {
      this.#current.delete(id);
      if (operation.deferredSubscribe !== undefined && this.#socket.open) this.#begin(id, operation.deferredSubscribe, handle);
      await operation.work;
      this.#underWay.delete(operation);
    });
  }
}

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
