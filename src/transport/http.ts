// The routes of HTTP: /graphql for clients and GraphiQL, / for the web chat, /health, /ready and /ready/database for operators.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../config.ts';
import type { Services } from '../schema/context.ts';
import { refuse } from './answer.ts';
import type { Connections } from './connections.ts';
import { createGraphQLHandler } from './graphql-handler.ts';
import { openPage } from './page.ts';
import { answerDatabase, answerHealth, answerReadiness, type Readiness } from './readiness.ts';
import { Refusal } from './refusal.ts';
import { graphqlPath, targetOf } from './target.ts';

export function createHttpHandler(config: Config, services: Services, readiness: Readiness, connections: Connections) {
  const graphql = createGraphQLHandler(config, services, connections);
  const page = openPage(config, services.log);

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = targetOf(request);
    const path = target.pathname;
    if (path === graphqlPath) return graphql(request, response, target);
    if (path === '/health') return answerHealth(response);
    if (path === '/ready') return answerReadiness(response, readiness);
    if (path === '/ready/database') return answerDatabase(response, readiness);
    if (page?.(request, response, path)) return;
    if (path !== '/') throw new Refusal(404, `There is nothing at ${path}: GraphQL is at ${graphqlPath}.`);
    response.writeHead(302, { location: graphqlPath }).end();
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A client that kept its connection would send its next request to this node.
    if (connections.draining) response.setHeader('connection', 'close');
    try {
      await route(request, response);
    } catch (error) {
      refuse(response, error, services.log);
    }
  };
}
