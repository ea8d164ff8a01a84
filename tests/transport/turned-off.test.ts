// INTROSPECTION=off and GRAPHIQL=off.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { getIntrospectionQuery } from 'graphql';
import { Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('a server without introspection and GraphiQL', () => {
  let server: Server;
  let open: Server;
  before(async () => {
    [server, open] = await Promise.all([startServer({ env: { INTROSPECTION: 'off', GRAPHIQL: 'off' } }), startServer()]);
  });
  after(() => Promise.all([server[Symbol.asyncDispose](), open[Symbol.asyncDispose]()]));

  const asking = [
    getIntrospectionQuery(),
    '{ __schema { description } }',
    '{ a: __type(name: "Room") { name } }',
    '{ ...F } fragment F on Query { __schema { description } }',
  ];

  it('refuses an introspection with a sentence, over HTTP and WebSocket, and serves other operations', async () => {
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    for (const [index, query] of asking.entries()) {
      // Another server in this process allows the same operation.
      assert.equal((await (await Guest.signIn(open.url)).ask(query)).errors, undefined);
      const { errors } = await ada.ask(query);
      assert.match(errors?.[0]?.message ?? '', /introspection is turned off/);
      assert.equal(errors?.[0]?.extensions.code, 'BAD_USER_INPUT');
      const frame = await socket.ask(String(index), query);
      assert.deepEqual([frame.type, frame.payload[0].message], ['error', errors?.[0]?.message]);
    }
    assert.deepEqual((await ada.ask<{ __typename: string }, object>('{ __typename viewer { __typename } }')).data?.__typename, 'Query');
    assert.equal((await ada.ask('{ a: viewer { id } # __schema\n }')).errors, undefined);
  });

  it('suggests no names for a misspelled field', async () => {
    const misspelled = '{ viewr { id } }';
    assert.doesNotMatch((await (await Guest.signIn(server.url)).ask(misspelled)).errors?.[0]?.message ?? '', /Did you mean/);
    assert.match((await (await Guest.signIn(open.url)).ask(misspelled)).errors?.[0]?.message ?? '', /Did you mean/);
  });

  it('says that GraphiQL is off, and hides the link to it in the web chat', async () => {
    const answer = await fetch(server.url, { headers: html });
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /GraphiQL is turned off/);
    assert.equal((await fetch(`${server.url}?query={__typename}`, { headers: html })).status, 200);
    assert.match(await (await fetch(new URL('/', server.url))).text(), /data-graphiql="off"/);
    assert.match(await (await fetch(new URL('/', open.url))).text(), /data-graphiql="on"/);
    assert.equal((await fetch(open.url, { headers: html })).status, 200);
  });
});
