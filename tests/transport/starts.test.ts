// Which operations start in one turn of the event loop.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isRateLimited } from '../../src/errors.ts';
import { Starts } from '../../src/transport/starts.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { range } from '../support/storage.ts';

describe('the starts of operations', () => {
  /** Starts that note the order in which the operations of each client start. */
  function noting() {
    const starts = new Starts(new ManualClock());
    const started: string[] = [];
    const start = (key: string, name: string) => {
      const waits = starts.start(key);
      if (waits) void waits.then(() => started.push(name));
      else started.push(name);
    };
    return { starts, started, start };
  }

  it('of one client are four in a turn, in order', async () => {
    const { started, start } = noting();
    for (const number of range(1, 10)) start('ada', String(number));
    assert.deepEqual(started, ['1', '2', '3', '4']);
    await setImmediate();
    assert.deepEqual(started, ['1', '2', '3', '4', '5', '6', '7', '8']);
    start('ada', '11');
    await setImmediate();
    assert.deepEqual(started.slice(8), ['9', '10', '11']);
  });

  it('do not wait for those of another client', async () => {
    const { started, start } = noting();
    for (const number of range(1, 500)) start('ada', String(number));
    start('bob', 'first');
    assert.equal(started.at(-1), 'first');
    await setImmediate();
    start('bob', 'second');
    assert.equal(started.at(-1), 'second');
  });

  it('of a client with many waiting are one in a turn, and continue until none waits', async () => {
    const { started, start } = noting();
    for (const number of range(1, 100)) start('ada', String(number));
    for (const turn of range(1, 10)) {
      await setImmediate();
      assert.equal(started.length, 4 + turn);
    }
    await until('all have started', () => started.length === 100);
    assert.deepEqual(started, range(1, 100).map(String));
  });

  it('of a client with many waiting are further apart while turns come late', async () => {
    const clock = new ManualClock();
    const starts = new Starts(clock);
    let started = 0;
    for (const _ of range(1, 900)) void starts.start('ada')?.then(() => (started += 1));
    // The first turn comes 2 ms late.
    clock.skip(2);
    await setImmediate();
    assert.equal(started, 1);
    assert.throws(() => starts.start('ada'), isRateLimited, 'the last ones would wait for longer than an answer may take');
    await clock.advance(5);
    assert.equal(started, 1);
    await clock.advance(1);
    assert.ok(started >= 2);
    // That turn came in time, so the next ones follow at once.
    await until('all have started', async () => {
      await clock.advance(1);
      return started === 896;
    });
  });

  it('are refused with RATE_LIMITED when a thousand of one client wait', () => {
    const { starts } = noting();
    for (const _ of range(1, 1004)) void starts.start('ada');
    assert.throws(() => starts.start('ada'), isRateLimited);
    assert.equal(starts.start('bob'), undefined);
  });
});
