import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { endAt } from '../../src/transport/expiry.ts';

const dayMs = 86_400_000;

describe('the end of a token', () => {
  for (const days of [0, 1, 24, 25, 30, 100]) {
    it(`comes after ${days} days to the millisecond, and once`, ({ mock }) => {
      mock.timers.enable({ apis: ['setTimeout', 'Date'] });
      let ended = 0;
      endAt(new Date(Date.now() + days * dayMs), () => (ended += 1));
      if (days > 0) {
        for (let day = 1; day < days; day += 1) mock.timers.tick(dayMs);
        mock.timers.tick(dayMs - 1);
        assert.equal(ended, 0);
        mock.timers.tick(1);
      } else mock.timers.tick(1);
      assert.equal(ended, 1);
      mock.timers.tick(100 * dayMs);
      assert.equal(ended, 1);
    });
  }

  it('does not come once it is not waited for any more', ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    let ended = 0;
    const forget = endAt(new Date(Date.now() + 60 * dayMs), () => (ended += 1));
    mock.timers.tick(30 * dayMs);
    forget();
    mock.timers.tick(60 * dayMs);
    assert.equal(ended, 0);
  });

  it('is never put off to a timer that overflows', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    endAt(new Date(Date.now() + 1000 * dayMs), () => {})();
    await setImmediate();
    process.off('warning', warned);
    assert.deepEqual(warnings, []);
  });
});
