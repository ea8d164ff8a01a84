// The routes of HTTP: /graphql for clients and GraphiQL, / for the web chat, /health, /ready and /ready/database for operators.
// All are below BASE_PATH.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config.ts';
import type { Services } from '../schema/context.ts';
import { refuse } from './answer.ts';
import type { Connections } from './connections.ts';
import type { Doors } from './doors.ts';
import { createGraphQLHandler } from './graphql-handler.ts';
import { openPages } from './page.ts';
import { hasWaiting, waitForTurn } from './pipeline.ts';
import { answerDatabase, answerHealth, answerReadiness, type Readiness } from './readiness.ts';
import { Refusal } from './refusal.ts';
import { graphqlPath, targetOf } from './target.ts';

export function createHttpHandler(config: Config, services: Services, readiness: Readiness, connections: Connections, doors: Doors) {
  const pages = openPages(config, services.log);
  const graphql = createGraphQLHandler(config, services, connections, pages, doors.shares);

  async function route(request: IncomingMessage, response: ServerResponse, pipelined: boolean): Promise<void> {
    const target = targetOf(request, config.basePath);
    const path = target.pathname;
    // A supervisor or balancer asks by address.
    if (path === '/health') return answerHealth(response);
    if (path === '/ready') return answerReadiness(response, readiness);
    if (path === '/ready/database') return answerDatabase(response, readiness);
    doors.requireHost(request);
    if (path === graphqlPath) return graphql(request, response, target, pipelined);
    if (isBasePath(request, config.basePath)) return void response.writeHead(308, { location: `${config.basePath}/` }).end();
    if (pages?.answer(request, response, path)) return;
    throw new Refusal(404, `There is nothing at ${config.basePath}${path}: GraphQL is at ${config.basePath}${graphqlPath}.`);
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Node passes on all that it had read from a connection that has been cut off.
    if (request.socket.destroyed) return;
    const connection = connections.of(request.socket);
    connection.receive(request);
    const pipelined = await waitForTurn(request, response, connection);
    // A client that kept its connection would send its next request to this node. What it has sent already is answered.
    if (connections.draining && !hasWaiting(connection)) response.setHeader('connection', 'close');
    response.setHeader('x-content-type-options', 'nosniff');
    try {
      await route(request, response, pipelined);
    } catch (error) {
      doors.countRefusal(request, error);
      refuse(response, error, services.log);
    }
  };
}

/** Whether the slash is missing after the base path. Without it, the relative addresses in the page would lead elsewhere. */
const isBasePath = ({ url = '' }: IncomingMessage, basePath: string) => basePath !== '' && url.split('?', 1)[0] === basePath;
