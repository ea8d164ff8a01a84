// The checks of tokens, and their cache.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tokenChecker } from '../../src/chat/token.ts';

it('a long form of a token is not cached: white space in its signature is ignored, so that a client can send any number of forms', async () => {
  let verified = 0;
  const check = tokenChecker(async () => {
    verified += 1;
    return { payload: { sub: 'ada', exp: Date.now() } };
  });
  const verifiedBy = async (token: string) => {
    const before = verified;
    await check(token);
    await check(token);
    return verified - before;
  };
  assert.equal(await verifiedBy('a.b.c'), 1);
  assert.equal(await verifiedBy(`a.b.c${' '.repeat(60_000)}`), 2);
});

it('an instant that no clock can show counts as the end of the year 9999', async () => {
  for (const exp of [Date.now(), 1e300, Number.POSITIVE_INFINITY]) {
    const { expiresAt } = await tokenChecker(async () => ({ payload: { sub: 'ada', exp } }))('a.b.c');
    assert.equal(expiresAt.toISOString(), '9999-12-31T23:59:59.000Z');
  }
});
