// A lane: order, what runs together, and what becomes of a change that fails.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lane } from '../../src/chat/lane.ts';
import { Quota } from '../../src/chat/quota.ts';
import { type Clock, realClock } from '../../src/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { range } from '../support/storage.ts';

const laneOf = (maxWaiting: number, options: { clock?: Clock; quota?: Quota; onIdle?: () => void } = {}) =>
  new Lane(maxWaiting, { clock: realClock, quota: new Quota(), ...options });

describe('a lane', () => {
  it('goes on after a change that throws, synchronously or not, alone or together with others', async () => {
    const lane = laneOf(100);
    const failure = new Error('synchronous');
    const throws = () => {
      throw failure;
    };
    const outcomes = await Promise.allSettled([
      lane.run('ada', throws),
      lane.runTogether('ada', 'a', 1, throws),
      lane.runTogether('ada', 'b', 1, () => Promise.reject(failure)),
      lane.run('ada', async () => 'done'),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason)),
      [failure, failure, failure, 'done'],
    );
  });

  it('runs adjacent changes of one kind together, and each change before those after it', async () => {
    const lane = laneOf(100);
    const together: number[][] = [];
    const work = async (items: number[]) => {
      together.push(items);
      return items.map((value) => ({ status: 'fulfilled', value }) as const);
    };
    const first = lane.run('ada', async () => together.push([0]));
    const answers = range(1, 5).map((item) => lane.runTogether('ada', item, 10, work));
    await first;
    assert.deepEqual(await Promise.all(answers), range(1, 5));
    assert.deepEqual(together, [[0], range(1, 5)]);
  });

  it('refuses a change that finds too many waiting, and one that has waited for four seconds', async () => {
    const clock = new ManualClock();
    const lane = laneOf(2, { clock });
    const held = Promise.withResolvers<void>();
    const first = lane.run('ada', () => held.promise);
    const late = lane.run('ada', async () => 'late');
    const alsoLate = lane.run('ada', async () => 'late');
    await assert.rejects(
      lane.run('ada', async () => 'too many'),
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
    const lane = laneOf(100, { onIdle: () => (idle += 1) });
    await lane.run('ada', async () => {});
    await new Promise(setImmediate);
    assert.equal(idle, 1);
  });

  /** A lane whose first change runs until `release`, and the order in which the later ones run. */
  function heldLane(maxWaiting: number, quota = new Quota()) {
    const lane = laneOf(maxWaiting, { quota });
    const held = Promise.withResolvers<void>();
    const done = [lane.run('nobody', () => held.promise)] as Promise<unknown>[];
    const order: string[] = [];
    const add = (userId: string, name: string) => {
      const change = lane.run(userId, async () => void order.push(name));
      done.push(change);
      return change;
    };
    const release = async () => {
      held.resolve();
      await Promise.allSettled(done);
    };
    return { lane, add, order, release };
  }

  it('lets users take turns, and keeps the changes of each in order', async () => {
    const { add, order, release } = heldLane(100);
    for (const i of range(1, 4)) void add('ada', `ada ${i}`);
    for (const i of range(1, 2)) void add('bob', `bob ${i}`);
    void add('cem', 'cem 1');
    await release();
    assert.deepEqual(order, ['ada 1', 'bob 1', 'cem 1', 'ada 2', 'bob 2', 'ada 3', 'ada 4']);
  });

  it('lets users take turns among changes that run together', async () => {
    const { lane, release } = heldLane(1000);
    const together: string[] = [];
    const work = async (items: string[]) => {
      together.push(...items);
      return items.map((value) => ({ status: 'fulfilled', value }) as const);
    };
    for (const i of range(1, 3)) void lane.runTogether('ada', `ada ${i}`, 1, work);
    const last = lane.runTogether('bob', 'bob 1', 1, work);
    await release();
    await last;
    assert.deepEqual(together, ['ada 1', 'bob 1', 'ada 2', 'ada 3']);
  });

  it('runs at most 16 changes of a user together while others use it, and many while nobody else does', async () => {
    const clock = new ManualClock();
    const lane = laneOf(1000, { clock });
    const batches: number[] = [];
    const work = async (items: number[]) => {
      batches.push(items.length);
      return items.map((value) => ({ status: 'fulfilled', value }) as const);
    };
    const send = (userId: string, count: number) => Promise.all(range(1, count).map((i) => lane.runTogether(userId, i, 1, work)));
    await send('ada', 101);
    await Promise.all([send('ada', 101), send('bob', 1)]);
    await send('ada', 20);
    await clock.advance(1001);
    await send('ada', 101);
    assert.deepEqual(batches, [1, 100, 1, 17, ...Array(5).fill(16), 4, 1, 16, 3, 1, 100]);
  });

  it('that is full still takes a change of a user with less than an equal share', async () => {
    const { add, order, release } = heldLane(10);
    for (const i of range(1, 10)) void add('ada', `ada ${i}`);
    await assert.rejects(add('ada', 'too many'), { code: 'UNAVAILABLE' });
    void add('bob', 'bob');
    await release();
    assert.equal(order[1], 'bob');
    assert.equal(order.length, 11);
  });

  it('refuses the 201st change of a user as RATE_LIMITED, in all lanes together, until one has ended', async () => {
    const quota = new Quota();
    let idle = 0;
    const other = laneOf(1000, { quota, onIdle: () => (idle += 1) });
    const { add, order, release } = heldLane(1000, quota);
    for (const i of range(1, 200)) void add('ada', `ada ${i}`);
    await assert.rejects(add('ada', 'too many'), { code: 'RATE_LIMITED', retryAfterMs: 1000 });
    await assert.rejects(
      other.run('ada', async () => {}),
      { code: 'RATE_LIMITED' },
    );
    assert.equal(idle, 1, 'a lane that has refused its only change is idle');
    void add('bob', 'bob');
    await release();
    assert.deepEqual(order.slice(0, 3), ['ada 1', 'bob', 'ada 2']);
    assert.equal(await other.run('ada', async () => 'free again'), 'free again');
  });
});
