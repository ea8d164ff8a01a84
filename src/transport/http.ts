// The HTTP door: /graphql for clients and GraphiQL, / for people, /health and /ready for whoever runs it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { guestTokenDays } from '../chat/identity.ts';
import type { Config } from '../config.ts';
import type { Services } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import type { DatabaseState } from '../storage/health.ts';
import type { Use } from './connection.ts';
import type { Connections } from './connections.ts';
import { inTime } from './deadline.ts';
import { createGraphQL, type Exchange } from './graphql.ts';
import { allowOrigin, readBody, requireAllowedOrigin, targetOf } from './limits.ts';
import { openPage } from './page.ts';
import { Refusal, statusOf } from './refusal.ts';
import { completedId, writeEventStream } from './sse.ts';
import { type Identified, identify, setCookieHeader } from './viewer.ts';

export const graphqlPath = '/graphql';

/** What `/ready` answers, with status 200 if `ready` and 503 otherwise; and `/ready/database` by `database`. */
export type Readiness = () => { readonly ready: boolean; readonly database: DatabaseState } & Record<string, unknown>;

export function createHttpDoor(config: Config, services: Services, readiness: Readiness, connections: Connections) {
  const yoga = createGraphQL();
  const page = openPage(config, services.log);

  async function graphql(request: IncomingMessage, response: ServerResponse, target: URL): Promise<void> {
    requireAllowedOrigin(request, config.allowedOrigins);
    allowOrigin(request, response);
    const answered: Exchange['answer'] = {};
    let gone = false;
    response.once('close', () => {
      if (!response.writableFinished) gone = true;
      answered.events?.stop();
    });
    const { method = 'GET', headers } = request;
    if (method === 'OPTIONS') return void response.writeHead(204, { allow: 'GET, POST' }).end();
    const body = method === 'POST' ? await readBody(request) : undefined;
    const lastEventId = headers['last-event-id'];
    if (lastEventId === completedId) return void response.writeHead(204).end();
    const connection = connections.of(request.socket);
    const wanted = () => !gone;
    const ask = async (identified: Promise<Identified>) => {
      const { viewer, staleCookie } = await identified;
      const setCookie = (token: string | null) =>
        response.setHeader('set-cookie', setCookieHeader(request, token, guestTokenDays * 86_400));
      if (staleCookie) setCookie(null);
      const exchange: Exchange = {
        context: { ...services, viewer, setCookie, wanted, lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined },
        answer: answered,
      };
      const init = {
        method,
        headers: { ...(headers as Record<string, string>), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body }),
      };
      return { answer: await yoga.fetch(target.href, init, exchange), viewer };
    };
    const identified = () => identify(services.identity, headers);
    // A browser's EventSource takes a refusal for final, and a lost connection for a reason to come back: it is kept
    // waiting where an answer may yet be had, and cut off when the server stops meanwhile.
    const isEventSource = headers.accept?.startsWith('text/event-stream');
    if (isEventSource && connections.ending) return void response.destroy();
    const cutOff: Use = { end: () => void response.destroy() };
    if (isEventSource) connection.use ??= cutOff;
    const { answer, viewer } = await (isEventSource ? ask(services.liveRooms.retry(identified, wanted)) : inTime(ask(identified())))
      .catch((error: unknown) => {
        gone = true;
        throw error;
      })
      .finally(() => {
        // Unless it is another's by now, which was asked for by the same connection.
        if (connection.use === cutOff) connection.use = undefined;
      });
    for (const [name, value] of answer.headers) if (name !== 'content-length') response.setHeader(name, value);
    const { events } = answered;
    if (events && response.socket === null) {
      // What is written now waits in memory, uncounted, and nobody says when its client is gone.
      events.stop();
      throw new Refusal(400, 'An event stream may not be asked for on a connection that has yet to answer something else.');
    }
    if (events && answer.ok) {
      const { ending } = connections;
      await writeEventStream(response, events, connection, { expiresAt: viewer?.expiresAt, ending });
    } else {
      // Of no type that the client takes.
      events?.stop();
      response.writeHead(answer.status).end(await answer.text());
    }
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const target = targetOf(request);
      const path = target.pathname;
      // Whoever keeps a connection open to a node that is about to stop would ask it again.
      if (connections.draining) response.setHeader('connection', 'close');
      if (path === graphqlPath) await graphql(request, response, target);
      else if (path === '/health') json(response, 200, { status: 'ok' });
      else if (path === '/ready') {
        const state = readiness();
        json(response, state.ready ? 200 : 503, state);
      } else if (path === '/ready/database') {
        const { database } = readiness();
        json(response, database === 'ok' ? 200 : 503, { database });
      } else if (page?.(request, response, path)) return;
      else if (path === '/') response.writeHead(302, { location: graphqlPath }).end();
      else throw new Refusal(404, `There is nothing at ${path}: GraphQL is at ${graphqlPath}.`);
    } catch (error) {
      refuse(response, error, services);
    }
  };
}

function refuse(response: ServerResponse, error: unknown, { log }: Services): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const told = toClientError(error, log);
  const status = statusOf(error, told);
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  // What is left of a body that was too large is not read.
  if (status === 413) response.setHeader('connection', 'close');
  json(response, status, { errors: [told] });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
