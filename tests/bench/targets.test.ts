import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Results } from '../../bench/report/results.ts';
import { judge, targets } from '../../bench/report/targets.ts';
import { scenarios } from '../../bench/scenarios/all.ts';

const rate = new Set(['saturated.rate']);
const resultsOf = (values: Record<string, number[]>) =>
  new Results(
    Object.entries(values).flatMap(([of, each]) => each.map((value, index) => ({ figure: 'saturated.rate', of, value, round: index + 1 }))),
  );

describe('a target', () => {
  it('refers to a figure that a scenario measures', () => {
    const measured = scenarios.flatMap(({ figures }) => figures.map(({ id }) => id));
    for (const { figure } of targets) assert.ok(measured.includes(figure), figure);
  });

  it('is compared with the ratio of the medians', () => {
    const results = resultsOf({ gapless: [100, 240, 9000], yoga: [20, 1, 500], ws: [80, 40, 60, 100] });
    const [yoga, ws] = judge(results, rate);
    assert.deepEqual([yoga?.reached, yoga?.holds], [12, true]);
    assert.deepEqual([ws?.reached, ws?.holds], [240 / 70, true]);
  });

  it('is missed by a small difference', () => {
    const [yoga] = judge(resultsOf({ gapless: [11.99], yoga: [1], ws: [1] }), rate);
    assert.equal(yoga?.holds, false);
  });

  it('is missed if a figure was not measured', () => {
    for (const results of [resultsOf({ gapless: [100] }), resultsOf({ yoga: [100], ws: [1] })]) {
      assert.deepEqual(
        judge(results, rate).map(({ reached, holds }) => [reached, holds]),
        [
          [undefined, false],
          [undefined, false],
        ],
      );
    }
  });

  it('with an upper bound is reached at the bound and below', () => {
    const reads = (value: number) =>
      judge(new Results([{ figure: 'resume.reads', of: 'gapless', value, round: 1 }]), new Set(['resume.reads']))[0]?.holds;
    assert.deepEqual([reads(1), reads(20), reads(21)], [true, true, false]);
  });

  it('is not judged if a contender was excluded', () => {
    const judged = judge(resultsOf({ gapless: [100], ws: [1] }), rate, new Set(['yoga']));
    assert.deepEqual(
      judged.map(({ target }) => target.by),
      ['ws'],
    );
  });
});
