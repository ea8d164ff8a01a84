import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CombinedGraphQLErrors } from '@apollo/client/core/index.js';
import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { errorCode } from '../../src/client/error-code.ts';
import { errorCodes } from '../../src/client/error-codes.ts';
import { ask, Guest, startServer } from '../support/server.ts';

const expired = new GraphQLError('The cursor has expired.', { extensions: { code: 'CURSOR_EXPIRED' } });

const unreadable = {
  get errors() {
    throw new Error('This cannot be read.');
  },
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('errorCode', () => {
  it('finds the code in the errors of every client library', () => {
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

  it('is UNAUTHENTICATED if the socket was closed because of the token', () => {
    assert.equal(errorCode({ code: 4403, reason: 'Forbidden' }), 'UNAUTHENTICATED');
  });

  it('is INTERNAL if this version does not know the code', () => {
    assert.equal(errorCode(new GraphQLError('New', { extensions: { code: 'OF_A_LATER_VERSION' } })), 'INTERNAL');
  });

  it('is undefined if the error does not come from the server', () => {
    const others = [
      undefined,
      null,
      'Failed.',
      Symbol('Failed'),
      unreadable,
      revoked(),
      new Error('fetch failed'),
      new CombinedError({ networkError: new Error('gone') }),
      { code: 1006 },
      [],
    ];
    for (const other of others) assert.equal(errorCode(other), undefined);
  });

  it('finds every code that the server declares', async () => {
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
});
