import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CombinedGraphQLErrors } from '@apollo/client/core/index.js';
import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { errorCode } from '../../src/client/error-code.ts';
import { errorCodes } from '../../src/client/error-codes.ts';
import { ask, Guest, startServer } from '../support/server.ts';

const expired = new GraphQLError('It is old.', { extensions: { code: 'CURSOR_EXPIRED' } });

it('is found in whatever form a client library has the error', () => {
  const forms = [
    expired,
    [expired],
    { errors: [expired] },
    JSON.parse(JSON.stringify(expired)),
    new CombinedGraphQLErrors({ errors: [expired.toJSON()] }),
    new CombinedError({ graphQLErrors: [expired] }),
  ];
  for (const form of forms) assert.equal(errorCode(form), 'CURSOR_EXPIRED');
});

it('is UNAUTHENTICATED where the socket was closed for its token', () => {
  assert.equal(errorCode({ code: 4403, reason: 'Forbidden' }), 'UNAUTHENTICATED');
});

it('is INTERNAL where this version does not know it', () => {
  assert.equal(errorCode(new GraphQLError('New', { extensions: { code: 'OF_TOMORROW' } })), 'INTERNAL');
});

it('is undefined where it is not the server that speaks', () => {
  const others = [
    undefined,
    null,
    'words',
    new Error('fetch failed'),
    new CombinedError({ networkError: new Error('gone') }),
    { code: 1006 },
    [],
  ];
  for (const other of others) assert.equal(errorCode(other), undefined);
});

it('is what the server says', async () => {
  await using server = await startServer({ storage: 'PostgreSQL' });
  const ada = await Guest.signIn(server.url);
  assert.equal(errorCode(await ask(server.url, undefined, '{ rooms { nodes { id } } }')), 'UNAUTHENTICATED');
  assert.equal(errorCode(await ada.ask('mutation { joinRoom(input: { roomId: "room_0" }) { membership { id } } }')), 'NOT_FOUND');
  const { data } = await ada.ask<{ __type: { enumValues: { name: string }[] } }, never>(
    '{ __type(name: "ErrorCode") { enumValues { name } } }',
  );
  assert.deepEqual(
    data?.__type.enumValues.map(({ name }) => name),
    [...errorCodes],
  );
});
