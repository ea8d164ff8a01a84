import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Histogram } from '../../bench/load/histogram.ts';
import { randomFrom } from '../support/random.ts';

describe('a histogram', () => {
  it('returns percentiles with an error of at most 1 %', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = randomFrom(seed);
    const histogram = new Histogram();
    const all = Array.from({ length: 10_000 }, () => 10 ** (random() * 6 - 2));
    for (const each of all) histogram.add(each);
    all.sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
      const exact = all[Math.ceil(share * all.length) - 1] as number;
      const found = histogram.percentile(share);
      assert.ok(found >= exact * 0.999 && found <= exact * 1.011, `seed ${seed}: ${found} for ${exact}`);
    }
  });

  it('counts values beyond its range in its first and last bucket', () => {
    const histogram = new Histogram();
    for (const ms of [0, 1e9]) histogram.add(ms);
    assert.equal(histogram.count, 2);
    assert.ok(histogram.percentile(0.5) <= 0.001);
    assert.ok(histogram.percentile(1) >= 60_000);
  });

  it('returns NaN if it is empty', () => {
    assert.equal(new Histogram().percentile(0.5), Number.NaN);
  });
});
