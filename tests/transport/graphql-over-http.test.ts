// The audits of graphql-http, for the GraphQL over HTTP specification (https://graphql.github.io/graphql-over-http).

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { serverAudits } from 'graphql-http';
import { type Server, startServer } from '../support/server.ts';

describe('GraphQL over HTTP', () => {
  let server: Server;
  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
  });
  after(() => server[Symbol.asyncDispose]());

  for (const audit of serverAudits({ url: () => server.url })) {
    it(`${audit.name} (${audit.id})`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', 'reason' in result ? result.reason : undefined);
    });
  }
});
