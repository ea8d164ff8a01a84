// The WebSocket endpoint: graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), on the
// port and path of HTTP. A refused upgrade is answered with the status and error that HTTP would give.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Config } from '../config.ts';
import { GaplessError } from '../errors.ts';
import type { Services } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import { addressReader, type ReadAddress } from './client-address.ts';
import type { Connections } from './connections.ts';
import type { Doors } from './doors.ts';
import { maxMessageParts, maxSocketMessageBytes } from './limits.ts';
import { Origins } from './origin.ts';
import { Refusal, retryHeaders, statusOf } from './refusal.ts';
import { ClientSocket } from './socket.ts';
import { createSocketProtocol } from './socket-protocol.ts';
import { graphqlPath, targetOf } from './target.ts';
import { identify, requireIntendedViewer, viewerHeader } from './viewer.ts';

const options = {
  noServer: true,
  /** connections.ts knows every socket. */
  clientTracking: false,
  maxPayload: maxSocketMessageBytes,
  // Each part of a message is an object of some hundred bytes.
  maxFragments: maxMessageParts,
  maxBufferedChunks: maxMessageParts,
  /** How long a client may take to read what waits before a close frame, and to answer it. (@types/ws lacks this option.) */
  closeTimeout: 5000,
  handleProtocols,
};

export class WebSocketEndpoint {
  readonly #config: Config;
  readonly #services: Services;
  readonly #connections: Connections;
  readonly #doors: Doors;
  readonly #origins: Origins;
  readonly #server = new WebSocketServer(options);
  readonly #protocol: ReturnType<typeof createSocketProtocol>;
  readonly #readAddress: ReadAddress;
  /** One function for all sockets. */
  readonly #logFailure = (error: Error) => this.#services.log.debug({ error: error.message }, 'a WebSocket failed');

  constructor(config: Config, services: Services, connections: Connections, doors: Doors) {
    this.#config = config;
    this.#services = services;
    this.#connections = connections;
    this.#doors = doors;
    this.#origins = new Origins(config.allowedOrigins);
    this.#protocol = createSocketProtocol(services, config, doors.shares);
    this.#readAddress = addressReader(config.trustedProxies);
  }

  /** Whether an upgrade that a client asks for is made. Any other protocol is ignored, and the request is answered over HTTP. */
  static wants({ headers }: IncomingMessage): boolean {
    return headers.upgrade?.trim().toLowerCase() === 'websocket';
  }

  /** Handles an upgrade of the HTTP server. */
  readonly upgrade = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    stream.on('error', destroy);
    const { identity, limits, log } = this.#services;
    try {
      const { basePath } = this.#config;
      const target = targetOf(request, basePath);
      if (target.pathname !== graphqlPath) throw new Refusal(404, `WebSockets are at ${basePath}${graphqlPath}.`);
      this.#doors.requireHost(request);
      this.#origins.require(request);
      // Nothing can be answered within an event stream, and frames between its events could not be distinguished from them.
      const connection = this.#connections.of(stream);
      if (connection.use !== undefined) return void stream.destroy();
      connection.receive(request);
      const openSocket = limits.sockets.open(this.#readAddress(request));
      connection.counted = openSocket;
      const { viewer } = await identify(identity, this.#origins.credentialsOf(request, target));
      const intendedId = request.headers[viewerHeader];
      requireIntendedViewer(viewer, intendedId);
      openSocket.belongTo(viewer?.userId);
      if (this.#connections.ending)
        throw new GaplessError('UNAVAILABLE', 'The server is shutting down. Retry to reach another node.', { retryAfterMs: 1000 });
      this.#server.handleUpgrade(request, stream, head, (socket) =>
        this.#open(socket, new ClientSocket(socket, connection, viewer, log, openSocket, intendedId)),
      );
    } catch (error) {
      this.#doors.countRefusal(request, error);
      const clientError = toClientError(error, log);
      refuseUpgrade(stream, statusOf(error, clientError), retryHeaders(clientError), JSON.stringify({ errors: [clientError] }));
    }
  };

  #open(webSocket: WebSocket, socket: ClientSocket): void {
    const { log } = this.#services;
    // Without a listener, a malformed frame would end the process. ws closes the socket by itself.
    webSocket.on('error', this.#logFailure);
    const closed = this.#protocol.opened(socket, socket);
    webSocket.on('close', (code, reason) => {
      closed(code, String(reason)).catch((error: unknown) => log.error({ error }, 'failed to clean up a closed WebSocket'));
    });
  }
}

/** A listener that all streams share. */
function destroy(this: Duplex): void {
  this.destroy();
}

function refuseUpgrade(stream: Duplex, status: number, more: Record<string, string>, body: string): void {
  // Otherwise a client could keep the connection half-open.
  stream.once('finish', () => stream.destroy());
  const headers = [
    'Connection: close',
    'Content-Type: application/json',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  for (const [name, value] of Object.entries(more)) headers.push(`${name}: ${value}`);
  stream.end(`HTTP/1.1 ${status} Refused\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}
