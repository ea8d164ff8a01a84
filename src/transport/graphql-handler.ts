// GraphQL over HTTP: identifies the viewer, has Yoga execute the operation, and writes the answer in the form that the client
// accepts. A query or mutation is answered within five seconds; only a subscription may wait longer to be opened.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OperationTypeNode } from 'graphql';
import { guestTokenDays, type Viewer } from '../chat/identity.ts';
import type { Config } from '../config.ts';
import { isRateLimited } from '../errors.ts';
import type { Context, Services } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import type { ResultSource } from '../schema/subscription.ts';
import { prefersEventStream } from './accept.ts';
import { Bodies } from './body.ts';
import { addressReader } from './client-address.ts';
import type { Use } from './connection.ts';
import type { Connections } from './connections.ts';
import { clearCookieHeader, cookieNameOf, setCookieHeader, sharedName, tokenCookieNames } from './cookies.ts';
import { clientLeft, inTime } from './deadline.ts';
import { findOperationType, isKnown } from './documents.ts';
import { completedId, writeEventStream, writePostponement, writeSingleEvent } from './event-stream.ts';
import { httpsCheck } from './https.ts';
import { Lifetime } from './lifetime.ts';
import { allowOrigin, answerPreflight, Origins } from './origin.ts';
import type { Pages } from './page.ts';
import { Refusal, statusOf } from './refusal.ts';
import type { Shares } from './shares.ts';
import { type Identified, identify, requireIntendedViewer, sessionOf, viewerHeader } from './viewer.ts';
import { createGraphQL, type Exchange } from './yoga.ts';

/** `pages` is undefined if they are not built. */
export function createGraphQLHandler(
  config: Config,
  services: Services,
  connections: Connections,
  pages: Pages | undefined,
  shares: Shares,
) {
  const bodies = new Bodies();
  const yoga = createGraphQL(config);
  const readAddress = addressReader(config.trustedProxies);
  const usesHttps = httpsCheck(config.trustedProxies);
  const origins = new Origins(config.allowedOrigins);
  const cookiePath = config.basePath || '/';

  return async (request: IncomingMessage, response: ServerResponse, target: URL, pipelined: boolean): Promise<void> => {
    origins.require(request);
    allowOrigin(request, response);
    const { method, headers } = request;
    if (method === 'OPTIONS') return answerPreflight(request, response);
    if (wantsPage(request)) {
      if (config.graphiql && pages) return pages.answerGraphiQL(request, response);
      if (!target.searchParams.has('query')) {
        throw new Refusal(404, config.graphiql ? 'GraphiQL is not built: `npm run build` builds it.' : graphiqlIsOff);
      }
    }
    response.setHeader('cache-control', 'no-store');
    const address = readAddress(request);
    await shares.enter(request, address);
    if (response.destroyed) return;
    const body = method === 'POST' ? await bodies.read(request) : undefined;
    response.once('close', () => body?.[Symbol.dispose]());
    const lastEventId = headers['last-event-id'];
    if (lastEventId === completedId) return void response.writeHead(204).end();

    const connection = connections.of(request.socket);
    const isEventSource = prefersEventStream(headers.accept) && operationTypeOf(readAsked(target, body?.text)) === 'subscription';
    const answer: Exchange['answer'] = {};
    const lifetime = new Lifetime();
    let wanted = true;
    response.once('close', () => {
      if (!response.writableFinished) {
        wanted = false;
        lifetime.end(clientLeft());
      }
      answer.source?.stop();
    });

    const execute = async (identifying: Promise<Identified>) => {
      const { viewer, cookie } = await identifying;
      if (isEventSource && wanted) countStream(response, address, viewer);
      const setCookies = (cookies: string[]) => response.headersSent || response.setHeader('set-cookie', cookies);
      if (!viewer && cookie && isOurs(cookie.name)) setCookies([clearCookieHeader(cookie.name, cookiePath)]);
      requireIntendedViewer(viewer, headers[viewerHeader]);
      const share = shares.of(viewer, address, connection);
      await share.start(isKnown(readAsked(target, body?.text).query));
      if (!wanted) throw clientLeft();
      // A resolver that ends after the deadline is too late: the client signs in again.
      const setCookie: Context['setCookie'] = (token) => {
        const session = sessionOf(target);
        const name = cookieNameOf(headers, session, usesHttps(request));
        const clear = (names: readonly string[]) => names.map((each) => clearCookieHeader(each, cookiePath));
        const others = tokenCookieNames(headers, session).filter((other) => other !== name);
        if (token === null) setCookies(clear([name, ...others]));
        // Another one of this server could take precedence over the new one.
        else setCookies([setCookieHeader(name, token, guestTokenDays * 86_400, cookiePath), ...clear(others.filter(isOurs))]);
      };
      const context: Context = {
        ...{ ...services, viewer, address, share, setCookie, wanted: () => wanted, ended: () => lifetime.signal },
        lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
      };
      return { viewer, answered: await yoga.fetch(target.href, toFetch(request, body?.text), { context, answer }) };
    };
    const identifyViewer = () => identify(services.identity, origins.credentialsOf(request, target));

    // An EventSource does not reconnect after an error status, but does after a lost connection. So its request waits while the
    // database is away, and its connection is cut if the server fails or stops.
    const executeWithRetries = async () => {
      const cutOff: Use = { end: () => void response.destroy() };
      connection.use ??= cutOff;
      try {
        return await execute(services.liveRooms.retry(identifyViewer, () => wanted));
      } finally {
        // A pipelined request may have set another use.
        if (connection.use === cutOff) connection.use = undefined;
      }
    };

    if (isEventSource && pipelined) throw pipelinedStream();
    if (isEventSource && connections.ending) return void response.destroy();
    const pending = isEventSource ? executeWithRetries() : inTime(execute(identifyViewer()), lifetime);
    const executed = await pending.catch((error: unknown) => {
      // A source that is opened after this has no reader.
      wanted = false;
      // Only an EventSource of a browser uses GET. It would not reconnect after a 429.
      if (isEventSource && method === 'GET' && isRateLimited(error)) return void writePostponement(response, error.retryAfterMs);
      if (isEventSource && statusOf(error, toClientError(error, services.log)) >= 500) response.destroy();
      throw error;
    });
    // An event stream may last for days.
    body?.[Symbol.dispose]();
    if (!executed) return;
    const { viewer, answered } = executed;
    if (isEventSource && answered.status >= 500) return void response.destroy();

    for (const [name, value] of answered.headers) if (name !== 'content-length') response.setHeader(name, value);
    if (answer.source && answered.ok) {
      if (!isEventSource) countStream(response, address, viewer);
      return writeSource(response, answer.source, viewer, pipelined);
    }
    if (answer.single && answered.ok) return writeSingleEvent(response, answer.single);
    // A subscription whose client accepts no event stream is not read.
    answer.source?.stop();
    if (answered.status === 406) throw new Refusal(406, answer.source ? streamOnly : unknownTypes);
    const text = await answered.text();
    response.writeHead(answered.status).end(text, connection.measure);
    connection.measure();
  };

  /** Counts an event stream among the sockets of its address and viewer until the response is closed. Throws RATE_LIMITED. */
  function countStream(response: ServerResponse, address: string | undefined, viewer: Viewer | undefined): void {
    const counted = services.limits.sockets.open(address);
    response.once('close', () => counted.close());
    counted.belongTo(viewer?.userId);
  }

  async function writeSource(
    response: ServerResponse,
    source: ResultSource,
    viewer: Viewer | undefined,
    pipelined: boolean,
  ): Promise<void> {
    const { socket } = response;
    // A client that pipelines requests may have sent more of them, which nobody could answer.
    if (pipelined || socket === null) {
      source.stop();
      throw pipelinedStream();
    }
    if (connections.ending) {
      source.stop();
      return void response.destroy();
    }
    return writeEventStream(response, source, connections.of(socket), viewer);
  }
}

const pipelinedStream = () =>
  new Refusal(400, 'An event stream cannot be requested on a connection that still has other requests to answer.');
/** Whether this server set the cookie. An application that sets the shared name also clears it. */
const isOurs = (cookieName: string) => cookieName !== sharedName;
const streamOnly = 'A subscription is answered with an event stream: send Accept: text/event-stream, or use a WebSocket.';
const unknownTypes =
  'The Accept header names no type that this server answers with: application/graphql-response+json, application/json, or text/event-stream.';
const graphiqlIsOff = 'GraphiQL is turned off on this server (GRAPHIQL=off).';

/** Whether a browser opens the address, instead of a client that sends an operation to it. */
const wantsPage = ({ method, headers }: IncomingMessage) =>
  (method === 'GET' || method === 'HEAD') && (headers.accept?.includes('text/html') ?? false);

function toFetch({ method = 'GET', headers }: IncomingMessage, body: string | undefined): RequestInit {
  const given = headers as Record<string, string>;
  return body === undefined ? { method, headers: given } : { method, headers: { ...given, 'content-type': 'application/json' }, body };
}

interface Asked {
  readonly query?: unknown;
  readonly operationName?: string | null | undefined;
}

/** What a request asks for. Empty if Yoga will refuse it. */
function readAsked({ searchParams }: URL, body: string | undefined): Asked {
  if (body === undefined) return { query: searchParams.get('query') ?? '', operationName: searchParams.get('operationName') || undefined };
  try {
    return (JSON.parse(body) ?? {}) as Asked;
  } catch {
    return {};
  }
}

/** The type of the operation in a request. Undefined if Yoga will refuse it. */
function operationTypeOf({ query, operationName }: Asked): OperationTypeNode | undefined {
  try {
    return findOperationType(query as string, operationName);
  } catch {
    return undefined;
  }
}
