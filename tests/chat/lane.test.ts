// A lane: order, what runs together, and what becomes of a change that fails.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lane } from '../../src/chat/lane.ts';
import { realClock } from '../../src/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { range } from '../support/storage.ts';

describe('a lane', () => {
  it('goes on after a change that throws, synchronously or not, alone or together with others', async () => {
    const lane = new Lane(100, { clock: realClock });
    const failure = new Error('synchronous');
    const throws = () => {
      throw failure;
    };
    const outcomes = await Promise.allSettled([
      lane.run(throws),
      lane.runTogether('a', 1, throws),
      lane.runTogether('b', 1, () => Promise.reject(failure)),
      lane.run(async () => 'done'),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason)),
      [failure, failure, failure, 'done'],
    );
  });

  it('runs adjacent changes of one kind together, and each change before those after it', async () => {
    const lane = new Lane(100, { clock: realClock });
    const together: number[][] = [];
    const work = async (items: number[]) => {
      together.push(items);
      return items.map((value) => ({ status: 'fulfilled', value }) as const);
    };
    const first = lane.run(async () => together.push([0]));
    const answers = range(1, 5).map((item) => lane.runTogether(item, 10, work));
    await first;
    assert.deepEqual(await Promise.all(answers), range(1, 5));
    assert.deepEqual(together, [[0], range(1, 5)]);
  });

  it('refuses a change that finds too many waiting, and one that has waited for four seconds', async () => {
    const clock = new ManualClock();
    const lane = new Lane(2, { clock });
    const held = Promise.withResolvers<void>();
    const first = lane.run(() => held.promise);
    const late = lane.run(async () => 'late');
    const alsoLate = lane.run(async () => 'late');
    await assert.rejects(
      lane.run(async () => 'too many'),
      { code: 'UNAVAILABLE' },
    );
    const refused = Promise.all([late, alsoLate].map((change) => assert.rejects(change, { code: 'UNAVAILABLE' })));
    await clock.advance(4001);
    held.resolve();
    await first;
    await refused;
  });

  it('says when it is idle', async () => {
    let idle = 0;
    const lane = new Lane(100, { clock: realClock, onIdle: () => (idle += 1) });
    await lane.run(async () => {});
    await new Promise(setImmediate);
    assert.equal(idle, 1);
  });
});
