// A fault of the request is BAD_USER_INPUT. A fault of the server is INTERNAL and logged.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { collectLog } from '../support/log.ts';
import { type Answer, Guest, type Server, startServer } from '../support/server.ts';

describe('an error', () => {
  const { log, lines } = collectLog();
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    server = await startServer({ log });
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
    await ada.send(roomId, 'hello');
  });
  after(() => server[Symbol.asyncDispose]());

  const logged = () => lines.filter(({ level }) => level === 'error').length;
  const change = (statement: string) => sql.raw(statement).execute(server.app.storage.db);

  // Errors that graphql-js raises while it completes a value: an Int that overflows, a forbidden null, an unknown enum value.
  const faults: Record<string, { statement: string; query: string }> = {
    'an Int that overflows': {
      statement:
        'update rooms set member_count = 2147483647; alter table rooms alter column member_count type bigint; update rooms set member_count = 3000000000',
      query: '{ rooms { nodes { memberCount } } }',
    },
    'an enum that does not have the value': {
      statement: `update messages set kind = 'SONG'`,
      query: '{ rooms { nodes { messages { nodes { kind } } } } }',
    },
    'a null where there is to be none': {
      statement: 'alter table users alter column name drop not null; update users set name = null',
      query: '{ viewer { user { name } } }',
    },
  };

  for (const [what, { statement, query }] of Object.entries(faults)) {
    it(`is INTERNAL and logged for ${what}`, async () => {
      for (const part of statement.split(';')) await change(part);
      const before = logged();
      const { errors } = await ada.ask(query);
      assert.deepEqual(
        errors?.map(({ extensions }) => extensions.code),
        ['INTERNAL'],
      );
      assert.equal(logged(), before + 1);
      assert.equal(lines.findLast(({ level }) => level === 'error')?.['errorId'], errors?.[0]?.extensions.errorId);
    });
  }

  const refused: Record<string, Record<string, unknown>> = {
    'NUL in the text to search for': { nameContains: '\0' },
    'a lone surrogate in the text to search for': { nameContains: '\ud800' },
    'a text to search for that is too long': { nameContains: 'x'.repeat(101) },
    'a subject that is too long': { subject: 'x'.repeat(201) },
  };
  for (const [what, filter] of Object.entries(refused)) {
    it(`is BAD_USER_INPUT with status 400 for ${what}, where the cost depends on the arguments`, async () => {
      const query = 'query ($filter: RoomFilter) { rooms(filter: $filter) { nodes { id } } }';
      const headers = {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        authorization: `Bearer ${ada.token}`,
      };
      const response = await fetch(server.url, { method: 'POST', headers, body: JSON.stringify({ query, variables: { filter } }) });
      const { errors } = (await response.json()) as Answer<unknown>;
      assert.deepEqual(
        errors?.map(({ extensions }) => extensions),
        [{ code: 'BAD_USER_INPUT', field: Object.keys(filter)[0] }],
      );
      assert.equal(response.status, 400);
    });
  }

  const requests: Record<string, { query: string; variables?: Record<string, unknown> }> = {
    'a null variable where a default is': {
      query: 'query ($o: RoomOrder) { rooms(orderBy: $o) { nodes { id } } }',
      variables: { o: null },
    },
    'a null variable that has a default itself': {
      query: 'query ($o: RoomOrder = NAME) { rooms(orderBy: $o) { nodes { id } } }',
      variables: { o: null },
    },
    'a null variable within an input object': {
      query: 'mutation ($k: RoomKind) { createRoom(input: { name: "x", kind: $k }) { room { id } } }',
      variables: { k: null },
    },
    'a null variable of a directive': { query: 'query ($s: Boolean = true) { viewer { id @skip(if: $s) } }', variables: { s: null } },
    'a null variable in a fragment': {
      query: 'query ($o: RoomOrder) { ...rooms } fragment rooms on Query { rooms(orderBy: $o) { nodes { id } } }',
      variables: { o: null },
    },
    'a variable of the wrong type': { query: 'query ($n: Int!) { rooms(first: $n) { nodes { id } } }', variables: { n: 'many' } },
    'a field that does not exist': { query: '{ nothing }' },
    'a document that does not parse': { query: '{' },
    'an operation that asks for too much': {
      query: `{ ${Array.from({ length: 300 }, (_, i) => `a${i}: rooms(first: 100) { nodes { id } }`).join(' ')} }`,
    },
  };

  for (const [what, { query, variables }] of Object.entries(requests)) {
    it(`is BAD_USER_INPUT and not logged for ${what}`, async () => {
      const before = logged();
      const { errors } = await ada.ask(query, variables as never);
      assert.ok(errors && errors.length > 0);
      for (const { extensions } of errors) assert.equal(extensions.code, 'BAD_USER_INPUT');
      assert.equal(logged(), before);
    });
  }

  it('does not occur for a nullable variable that is omitted, or null in another operation of the document', async () => {
    const query = 'query ($o: RoomOrder) { rooms(orderBy: $o) { pageInfo { hasNextPage } } }';
    assert.equal((await ada.ask(query, {} as never)).errors, undefined);
  });
});
