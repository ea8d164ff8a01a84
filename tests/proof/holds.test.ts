// What a run must have shown for its proof to hold, and what a control must have.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { check } from '../../proof/checker.ts';
import { controls } from '../../proof/controls/controls.ts';
import { caught, findingsOf } from '../../proof/report.ts';
import { holds, type Run } from '../../proof/run.ts';

const judgement = check([], [], { delayMs: 1, healedMs: 1 });
const sound: Run = {
  judgement,
  effects: new Map([['Redis killed', [{ figure: 'entries that could not be published', count: 1 }]]]),
  answers: { refusals: new Map([['UNAVAILABLE', 7]]), slowAttempts: [], worstAnswerMs: 0 },
  abortReason: undefined,
  seconds: 1,
  services: [],
};
const withFindings = (...verdicts: readonly string[]): Run => {
  const found = Object.entries(judgement.findings).map(([name, finding]) => [name, { ...finding, count: verdicts.includes(name) ? 1 : 0 }]);
  return { ...sound, judgement: { ...judgement, clean: verdicts.length === 0, findings: Object.fromEntries(found) } };
};

describe('a run', () => {
  it('holds if nothing was found, every fault had an effect, and every refusal was UNAVAILABLE', () => {
    assert.deepEqual([holds(sound), findingsOf(sound)], [true, []]);
  });

  const cases: [string, Run, RegExp | undefined][] = [
    ['something was found', withFindings('lost'), undefined],
    ['it ended early', { ...sound, abortReason: 'somebody has not caught up' }, /somebody has not caught up/],
    ['a fault had no effect', { ...sound, effects: new Map([['Redis killed', [{ figure: 'entries', count: 0 }]]]) }, /no effect/],
    ['a permitted request was refused', { ...sound, answers: { ...sound.answers, refusals: new Map([['INTERNAL', 1]]) } }, /INTERNAL/],
  ];
  for (const [name, run, told] of cases) {
    it(`does not hold if ${name}`, () => {
      assert.equal(holds(run), false);
      if (told) assert.match(findingsOf(run).join(), told);
    });
  }
});

describe('a control', () => {
  it('that is sound may have no findings', () => {
    const [control] = controls.filter(({ sound }) => sound);
    assert.ok(control);
    assert.deepEqual([caught({ control, run: sound }), caught({ control, run: withFindings('lost') })], [true, false]);
  });

  for (const control of controls.filter(({ sound }) => !sound)) {
    it(`${control.name} is caught by all of its verdicts, and not by fewer`, () => {
      assert.equal(caught({ control, run: withFindings(...control.verdicts) }), true);
      assert.equal(caught({ control, run: withFindings(...control.verdicts.slice(1)) }), false);
      assert.equal(caught({ control, run: sound }), false);
    });
  }
});
