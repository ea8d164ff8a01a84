// For how long a client rests after an operation that took long.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRateLimited } from '../../src/errors.ts';
import { Rests } from '../../src/transport/rests.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { range } from '../support/storage.ts';

describe('a client', () => {
  it('need not rest after operations that take up to 4 ms', () => {
    const rests = new Rests(new ManualClock());
    for (const _ of range(1, 100)) rests.charge('ada', 3.9);
    assert.equal(rests.rested('ada'), undefined);
  });

  it('uses 400 ms at once without a rest', async () => {
    const clock = new ManualClock();
    const rests = new Rests(clock);
    for (const _ of range(1, 40)) rests.charge('ada', 10);
    assert.equal(rests.rested('ada'), undefined);
    // All of it is back.
    await clock.advance(40_001);
    for (const _ of range(1, 40)) rests.charge('ada', 10);
    assert.equal(rests.rested('ada'), undefined);
  });

  it('rests after that for 100 times the time that an operation took, and no other client does', async () => {
    const clock = new ManualClock();
    const rests = new Rests(clock);
    rests.charge('ada', 410);
    assert.equal(rests.rested('bob'), undefined);
    let rested = false;
    void rests.rested('ada')?.then(() => (rested = true));
    await clock.advance(990);
    assert.equal(rested, false);
    await clock.advance(20);
    assert.equal(rested, true);
    assert.equal(rests.rested('ada'), undefined);
  });

  it('starts one operation after the rest, whose time counts before the next one starts', async () => {
    const clock = new ManualClock();
    const rests = new Rests(clock);
    rests.charge('ada', 410);
    let started = 0;
    for (const _ of range(1, 5)) {
      void rests.rested('ada')?.then(() => {
        started += 1;
        rests.charge('ada', 10);
      });
    }
    await clock.advance(1010);
    assert.equal(started, 1);
    await clock.advance(1010);
    assert.equal(started, 2);
  });

  it('is refused with RATE_LIMITED when a hundred of its operations wait', () => {
    const rests = new Rests(new ManualClock());
    rests.charge('ada', 410);
    for (const _ of range(1, 100)) void rests.rested('ada');
    assert.throws(() => rests.rested('ada'), isRateLimited);
  });
});
