// When large operations run.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRateLimited } from '../../src/errors.ts';
import { LargeOperations } from '../../src/transport/large-operations.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { range } from '../support/storage.ts';

describe('large operations', () => {
  it('run one at a time, the users in turn, with a rest once they have taken 400 ms', async () => {
    const clock = new ManualClock();
    const large = new LargeOperations(clock);
    const started: string[] = [];
    const run = (user: string) =>
      large.run(user, async () => {
        started.push(user);
        return { result: user, blockedMs: 410 };
      });
    const results = ['ada', 'ada', 'ada', 'bob'].map(run);
    assert.deepEqual(started, ['ada']);
    await clock.advance(499);
    assert.deepEqual(started, ['ada']);
    await clock.advance(2);
    assert.equal(started.length, 2);
    await clock.advance(50_000);
    assert.deepEqual(started.indexOf('bob') <= 2, true);
    assert.deepEqual(await Promise.all(results), ['ada', 'ada', 'ada', 'bob']);
  });

  it('continue after one that fails', async () => {
    const large = new LargeOperations(new ManualClock());
    await assert.rejects(large.run('ada', () => Promise.reject(new Error('failed'))));
    assert.equal(await large.run('ada', async () => ({ result: 'answer', blockedMs: 0 })), 'answer');
  });

  it('are refused with RATE_LIMITED when twenty of one client wait, but not those of another', async () => {
    const clock = new ManualClock();
    const large = new LargeOperations(clock);
    const work = async () => ({ result: 'answer', blockedMs: 1 });
    const results = range(1, 21).map(() => large.run('ada', work));
    await assert.rejects(large.run('ada', work), isRateLimited);
    assert.equal(await large.run('bob', work), 'answer');
    await Promise.all(results);
  });
});
