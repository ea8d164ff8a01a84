import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { oneAtATime } from '../../src/bus/one-at-a-time.ts';

/** Reads that are ended by hand, in the order in which they began. */
function reads() {
  const begun: PromiseWithResolvers<void>[] = [];
  const read = oneAtATime(() => {
    const next = Promise.withResolvers<void>();
    begun.push(next);
    return next.promise;
  });
  return { read, begun };
}

const turn = () => new Promise(setImmediate);

describe('reads one at a time', () => {
  it('are one for all calls during another, and it begins after that has ended', async () => {
    const { read, begun } = reads();
    const first = read();
    const during = [read(), read(), read()];
    await turn();
    assert.equal(begun.length, 1);
    begun[0]?.resolve();
    await first;
    await turn();
    assert.equal(begun.length, 2);
    const later = read();
    begun[1]?.resolve();
    await Promise.all(during);
    await turn();
    assert.equal(begun.length, 3);
    begun[2]?.resolve();
    await later;
  });

  it('that fail reject their own calls only', async () => {
    const { read, begun } = reads();
    const first = read();
    const next = read();
    begun[0]?.reject(new Error('away'));
    await assert.rejects(first, /away/);
    await turn();
    begun[1]?.resolve();
    await next;
    const last = read();
    begun[2]?.resolve();
    await last;
  });
});
