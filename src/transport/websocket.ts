// The WebSocket door: graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), on the
// same port and path. graphql-ws speaks the protocol; this file is what it needs of a socket.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import { handleProtocols, makeServer, type Context as Session } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Config } from '../config.ts';
import { GaplessError } from '../errors.ts';
import type { Context, Services } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import { executeOperation, subscribeOperation } from '../schema/execute.ts';
import { schema } from '../schema/index.ts';
import { Subscription } from '../schema/subscription.ts';
import type { Connections } from './connections.ts';
import { inTime } from './deadline.ts';
import { parseDocument, validateDocument } from './documents.ts';
import { graphqlPath } from './http.ts';
import { maxOperations, maxSocketMessageBytes, requireAllowedOrigin, targetOf } from './limits.ts';
import { Refusal, statusOf } from './refusal.ts';
import { ClientSocket } from './socket.ts';
import { identify } from './viewer.ts';

const options = {
  noServer: true,
  maxPayload: maxSocketMessageBytes,
  /** How long a client may take to read what waits before a close, and to answer it. (The types of ws do not know it yet.) */
  closeTimeout: 5000,
  handleProtocols,
};

export class WebSocketDoor {
  readonly #config: Config;
  readonly #services: Services;
  readonly #connections: Connections;
  readonly #server = new WebSocketServer(options);
  readonly #protocol: ReturnType<typeof makeServer<Record<string, unknown>, ClientSocket>>;

  constructor(config: Config, services: Services, connections: Connections) {
    this.#config = config;
    this.#services = services;
    this.#connections = connections;
    this.#protocol = makeServer<Record<string, unknown>, ClientSocket>({
      onConnect: (session) => this.#admit(session),
      onSubscribe: ({ subscriptions, extra: socket }, _id, payload) =>
        Object.keys(subscriptions).length > maxOperations ? [tooMany()] : this.#prepare(socket, payload),
      onError: (_session, _id, _payload, errors) => errors.map((error) => toClientError(error, services.log).toJSON()),
      execute: (args) => (args.contextValue as SocketContext).socket.run(() => this.#execute(args as never)) as never,
      subscribe: (args) => subscribeOperation(args as never) as never,
      onOperation: ({ extra: socket }, id, _payload, _args, result) =>
        result instanceof Subscription ? socket.written(id, result) : undefined,
    });
  }

  /** Handles an upgrade of the HTTP server. */
  readonly upgrade = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    stream.on('error', () => stream.destroy());
    try {
      if (targetOf(request).pathname !== graphqlPath) throw new Refusal(404, 'There is nothing here.');
      requireAllowedOrigin(request, this.#config.allowedOrigins);
      const { viewer } = await identify(this.#services.identity, request.headers);
      if (this.#connections.ending)
        throw new GaplessError('UNAVAILABLE', 'The server stops: try again, another one answers.', { retryAfterMs: 1000 });
      this.#server.handleUpgrade(request, stream, head, (socket) =>
        this.#open(socket, new ClientSocket(socket, this.#connections.of(stream), viewer, this.#services.log)),
      );
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

  #open(webSocket: WebSocket, socket: ClientSocket): void {
    // Without a listener, a frame that breaks the rules would end this process. ws closes the socket by itself.
    webSocket.on('error', this.#onBroken);
    const closed = this.#protocol.opened(socket, socket);
    webSocket.once('close', (code, reason) => {
      closed(code, String(reason)).catch((error: unknown) => this.#services.log.error({ error }, 'a socket could not be cleaned up'));
    });
  }

  readonly #onBroken = (error: Error) => this.#services.log.debug({ error: error.message }, 'a socket broke the rules');

  async #admit(session: Session<Record<string, unknown>, ClientSocket>): Promise<boolean> {
    const { connectionParams, extra: socket } = session;
    // Otherwise the token would be kept for as long as the socket lives.
    Object.assign(session, { connectionParams: undefined });
    const authorization = connectionParams?.['authorization'] ?? connectionParams?.['Authorization'];
    try {
      if (authorization != null)
        ({ viewer: socket.viewer } = await identify(this.#services.identity, { authorization: String(authorization) }));
    } catch (error) {
      if (error instanceof GaplessError && error.code === 'UNAUTHENTICATED') return false;
      throw error;
    }
    return true;
  }

  // An operation that does not parse or validate is an error of its own. Thrown, it would close the socket, and with it
  // every other subscription on it.
  #prepare(socket: ClientSocket, payload: { query: string; variables?: unknown; operationName?: unknown }) {
    const { log } = this.#services;
    try {
      const document = parseDocument(payload.query);
      const errors = validateDocument(document);
      if (errors.length > 0) return errors.map((error) => toClientError(error, log));
      // graphql-ws keeps it for as long as the operation goes on: let it be the same text for all.
      payload.query = document.loc?.source.body as string;
      const { viewer } = socket;
      const contextValue: SocketContext = { ...this.#services, viewer, setCookie: noCookie, wanted: () => socket.open, socket };
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
}

/** There is nothing to set a cookie with. */
const noCookie = () => {};

const tooMany = () =>
  new GraphQLError(`A socket may have ${maxOperations} operations under way at once: complete some first.`, {
    extensions: { code: 'BAD_USER_INPUT' },
  });

interface SocketContext extends Context {
  readonly socket: ClientSocket;
}
