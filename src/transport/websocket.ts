// The WebSocket door: graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), on the
// same port and path. graphql-ws speaks the protocol; this file is what it needs of a socket.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import { type Context as Connection, handleProtocols, makeServer } from 'graphql-ws';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Viewer } from '../chat/identity.ts';
import type { Config } from '../config.ts';
import { GaplessError } from '../errors.ts';
import type { Context, Services } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import { executeOperation, type ResultStream, subscribeOperation } from '../schema/execute.ts';
import { schema } from '../schema/index.ts';
import { inTime } from './deadline.ts';
import { readDocument } from './documents.ts';
import { endAt } from './expiry.ts';
import { graphqlPath } from './http.ts';
import { maxOperations, maxSocketMessageBytes, requireAllowedOrigin, targetOf } from './limits.ts';
import { Refusal, statusOf } from './refusal.ts';
import { keepAlive, send, written } from './socket.ts';
import { identify } from './viewer.ts';

/** Why the server ends a socket. graphql-ws adds its own, from 4400 on. */
export const closeCodes = {
  /** The server stops: come back, another node answers. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The token has expired. graphql-ws says the same of one that is bad. */
  forbidden: { code: 4403, reason: 'Forbidden' },
  /** Nobody foresaw it; it is logged. */
  internal: { code: 1011, reason: 'Internal server error' },
  /** Who it is cannot be found out just now: come back. */
  unavailable: { code: 1013, reason: 'Try again later' },
} as const;

/** What may wait at a socket that goes on asking. Its subscriptions wait for it; answers to pings and errors do not. */
const maxUnreadBytes = 4 * 1024 * 1024;
/** How long queries and mutations of a socket may still take when the server stops. */
const finishMs = 10_000;

interface Extra {
  readonly socket: WebSocket;
  /** Who the handshake's own header or cookie names. connection_init may name another. */
  viewer: Viewer | undefined;
}

export class WebSocketDoor {
  readonly #config: Config;
  readonly #services: Services;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: maxSocketMessageBytes, handleProtocols });
  readonly #protocol: ReturnType<typeof makeServer<Record<string, unknown>, Extra>>;
  /** Queries and mutations that are under way, by socket. */
  readonly #running = new WeakMap<WebSocket, Set<Promise<unknown>>>();
  #closing = false;

  constructor(config: Config, services: Services) {
    this.#config = config;
    this.#services = services;
    this.#protocol = makeServer<Record<string, unknown>, Extra>({
      onConnect: (connection) => this.#admit(connection),
      onSubscribe: (connection, _id, payload) =>
        Object.keys(connection.subscriptions).length > maxOperations ? [tooMany()] : this.#prepare(connection.extra, payload),
      onError: (_connection, _id, _payload, errors) => errors.map((error) => toClientError(error, services.log).toJSON()),
      execute: (args) => this.#finishing((args.contextValue as SocketContext).socket, this.#execute(args as never)) as never,
      subscribe: (args) => subscribeOperation(args as never) as never,
      onOperation: ({ extra }, id, _payload, _args, result) => (isStream(result) ? written(extra.socket, id, result) : undefined),
    });
  }

  /** Handles an upgrade of the HTTP server. */
  readonly upgrade = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    stream.on('error', () => stream.destroy());
    try {
      if (targetOf(request).pathname !== graphqlPath) throw new Refusal(404, 'There is nothing here.');
      requireAllowedOrigin(request, this.#config.allowedOrigins);
      const { viewer } = await identify(this.#services.identity, request.headers);
      if (this.#closing) throw new GaplessError('UNAVAILABLE', 'The server stops: try again, another one answers.', { retryAfterMs: 1000 });
      this.#server.handleUpgrade(request, stream, head, (socket) => this.#open(socket, viewer));
    } catch (error) {
      const told = toClientError(error, this.#services.log);
      const body = JSON.stringify({ errors: [told] });
      // Half-open, it would stay for as long as its client likes.
      stream.once('finish', () => stream.destroy());
      stream.end(
        `HTTP/1.1 ${statusOf(error, told)} Refused\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    }
  };

  /** Closes every socket, once the queries and mutations that are under way on it have answered, and opens no more. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      [...this.#server.clients].map(async (socket) => {
        const running = Promise.allSettled(this.#running.get(socket) ?? []);
        await Promise.race([running, new Promise((resolve) => setTimeout(resolve, finishMs).unref())]);
        // What has just been worked out is written in this turn of the event loop. Behind the close, it would be lost.
        await setImmediate();
        socket.close(closeCodes.restart.code, closeCodes.restart.reason);
      }),
    );
  }

  /** Ends what has not closed by itself. */
  terminate(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  #open(socket: WebSocket, viewer: Viewer | undefined): void {
    const { log } = this.#services;
    // Without a listener, a frame that breaks the rules would end this process. ws closes the socket by itself.
    socket.on('error', (error) => log.debug({ error: error.message }, 'a socket broke the rules'));
    const stopPinging = keepAlive(socket);
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        send: (message) => Promise.resolve(send(socket, message)),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) =>
          socket.on('message', (data: RawData) => {
            if (socket.bufferedAmount > maxUnreadBytes) return socket.terminate();
            handle(String(data)).catch((error: unknown) => {
              if (toClientError(error, log).extensions['code'] === 'UNAVAILABLE') {
                return socket.close(closeCodes.unavailable.code, closeCodes.unavailable.reason);
              }
              socket.close(closeCodes.internal.code, closeCodes.internal.reason);
            });
          }),
      },
      { socket, viewer },
    );
    socket.once('close', (code, reason) => {
      stopPinging();
      closed(code, String(reason)).catch((error: unknown) => log.error({ error }, 'a socket could not be cleaned up'));
    });
  }

  async #admit({ connectionParams, extra }: Connection<Record<string, unknown>, Extra>): Promise<boolean> {
    const authorization = connectionParams?.['authorization'] ?? connectionParams?.['Authorization'];
    try {
      if (authorization != null)
        ({ viewer: extra.viewer } = await identify(this.#services.identity, { authorization: String(authorization) }));
    } catch (error) {
      if (error instanceof GaplessError && error.code === 'UNAUTHENTICATED') return false;
      throw error;
    }
    const { socket, viewer } = extra;
    // One that has closed meanwhile would never tell the timer to go.
    if (viewer && socket.readyState === socket.OPEN) {
      const forget = endAt(viewer.expiresAt, () => socket.close(closeCodes.forbidden.code, closeCodes.forbidden.reason));
      socket.once('close', forget);
    }
    return true;
  }

  // An operation that does not parse or validate is an error of its own. Thrown, it would close the socket, and with it
  // every other subscription on it.
  #prepare({ socket, viewer }: Extra, payload: { query: string; variables?: unknown; operationName?: unknown }) {
    const { log } = this.#services;
    try {
      const document = readDocument(payload.query);
      if (!('kind' in document)) return document.map((error) => toClientError(error, log));
      const wanted = () => socket.readyState === socket.OPEN;
      const contextValue: SocketContext = { ...this.#services, viewer, setCookie: () => {}, wanted, socket };
      return {
        schema,
        document,
        contextValue,
        ...(payload.variables == null ? {} : { variableValues: payload.variables as Record<string, unknown> }),
        ...(payload.operationName == null ? {} : { operationName: String(payload.operationName) }),
      };
    } catch (error) {
      return [toClientError(error, log)];
    }
  }

  // A failure is the answer to one operation. Thrown, it would close the socket.
  #execute(args: ExecutionArgs): Promise<ExecutionResult> {
    return inTime(executeOperation(args)).catch((error: unknown) => ({ errors: [toClientError(error, this.#services.log)] }));
  }

  async #finishing<T>(socket: WebSocket, work: Promise<T>): Promise<T> {
    const running = this.#running.get(socket) ?? new Set();
    this.#running.set(socket, running.add(work));
    try {
      return await work;
    } finally {
      running.delete(work);
    }
  }
}

const tooMany = () =>
  new GraphQLError(`A socket may have ${maxOperations} operations under way at once: complete some first.`, {
    extensions: { code: 'BAD_USER_INPUT' },
  });

interface SocketContext extends Context {
  readonly socket: WebSocket;
}

const isStream = (result: unknown): result is ResultStream =>
  typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
