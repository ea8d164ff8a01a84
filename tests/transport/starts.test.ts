// Which operations start in one turn of the event loop.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';
import { isRateLimited } from '../../src/errors.ts';
import { Starts } from '../../src/transport/starts.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { range } from '../support/storage.ts';

describe('the starts of operations', () => {
  /** Starts that note the order in which the operations of each client start. */
  function noting() {
    const clock = new ManualClock();
    const starts = new Starts(clock);
    const started: string[] = [];
    const start = (key: string, name: string) => {
      const waits = starts.start(key);
      if (waits) void waits.then(() => started.push(name));
      else started.push(name);
    };
    return { clock, starts, started, start };
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
    const { clock, started, start } = noting();
    for (const number of range(1, 100)) start('ada', String(number));
    await setImmediate();
    assert.equal(started.length, 5);
    await clock.advance(3);
    assert.ok(started.length <= 7);
    await clock.advance(1000);
    await until('all have started', () => started.length === 100);
    assert.deepEqual(started, range(1, 100).map(String));
  });

  it('of a client with many waiting are further apart while the event loop is busy', async () => {
    const clock = new ManualClock();
    let lateMs = 0;
    // A timer of a busy event loop comes late.
    const busy: Clock = { now: () => clock.now(), sleep: (ms) => clock.sleep(ms), after: (ms, work) => clock.after(ms + lateMs, work) };
    const starts = new Starts(busy);
    let started = 0;
    for (const _ of range(1, 900)) void starts.start('ada')?.then(() => (started += 1));
    await setImmediate();
    const startsIn = async (ms: number) => {
      const before = started;
      await clock.advance(ms);
      await setImmediate();
      return started - before;
    };
    const idle = await startsIn(240);
    lateMs = 4;
    const whileBusy = await startsIn(240);
    assert.ok(idle >= 80 && whileBusy < idle / 3, `${idle} and ${whileBusy}`);
    // The last ones would wait for longer than an answer may take.
    assert.throws(() => starts.start('ada'), isRateLimited);
  });

  it('are refused with RATE_LIMITED when a thousand of one client wait', () => {
    const { starts } = noting();
    for (const _ of range(1, 1004)) void starts.start('ada');
    assert.throws(() => starts.start('ada'), isRateLimited);
    assert.equal(starts.start('bob'), undefined);
  });
});
