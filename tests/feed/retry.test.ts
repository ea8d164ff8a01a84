// Retries, by a clock that the test moves.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { badInput, NodeUnableError, unavailable } from '../../src/errors.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { retryFor } from '../support/retry.ts';

const always = () => true;
const fails = (error: unknown) => () => Promise.reject(error);

describe('a retry', () => {
  it('goes on until the work succeeds, whatever it throws', async () => {
    const clock = new ManualClock();
    const retry = retryFor({ clock });
    const errors = [
      new TypeError('a bug'),
      'a string',
      undefined,
      unavailable('later'),
      Object.assign(new Error('odd'), { code: 'ZZ999' }),
    ];
    const left = [...errors];
    const work = async () => {
      if (left.length > 0) throw left.shift();
      return 'done';
    };
    const result = retry.run(work, always);
    await clock.advance(10_000);
    assert.equal(await result, 'done');
    assert.equal(retry.counts.retries, errors.length);
  });

  it('ends with a final error, and with one that this node cannot mend', async () => {
    const retry = retryFor({ clock: new ManualClock() });
    const final = badInput('wrong');
    await assert.rejects(retry.run(fails(final), always), final);
    const unable = new NodeUnableError('upgrade me');
    await assert.rejects(retry.run(fails(unable), always), unable);
    assert.equal(retry.counts.retries, 0);
  });

  it('ends once nobody wants the result', async () => {
    const clock = new ManualClock();
    const retry = retryFor({ clock });
    let wanted = true;
    const failure = new Error('away');
    const refused = assert.rejects(
      retry.run(fails(failure), () => wanted),
      failure,
    );
    await clock.advance(5000);
    wanted = false;
    await clock.advance(5000);
    await refused;
  });

  it('ends with UNAVAILABLE when the same failure repeats for 30 s although the database answers', async () => {
    const clock = new ManualClock();
    const { log, lines } = collectLog();
    const retry = retryFor({ clock, log });
    let settled = false;
    const refused = assert
      .rejects(retry.run(fails(new TypeError('a bug')), always), { code: 'UNAVAILABLE', retryAfterMs: 1000 })
      .finally(() => (settled = true));
    await clock.advance(29_000);
    assert.equal(settled, false);
    await clock.advance(4000);
    await refused;
    assert.equal(retry.counts.stuck, 1);
    assert.deepEqual(
      lines.map(({ level, error }) => [level, (error as { message: string }).message]),
      [['error', 'a bug']],
    );
  });

  it('goes on for as long as the database does not answer', async () => {
    const clock = new ManualClock();
    let answering = false;
    const retry = retryFor({ clock, isDatabaseAnswering: () => answering });
    let settled = false;
    const refused = assert.rejects(retry.run(fails(new Error('away')), always), { code: 'UNAVAILABLE' }).finally(() => (settled = true));
    await clock.advance(600_000);
    assert.equal(settled, false);
    answering = true;
    await clock.advance(40_000);
    await refused;
  });

  it('goes on while the failures differ', async () => {
    const clock = new ManualClock();
    const retry = retryFor({ clock });
    let attempts = 0;
    const work = async () => {
      attempts += 1;
      if (clock.now() > 100_000) return attempts;
      throw new Error(`failure ${attempts}`);
    };
    const result = retry.run(work, always);
    await clock.advance(120_000);
    assert.ok((await result) > 40);
  });

  it('logs the same failure once per minute, however many streams it ends', async () => {
    const clock = new ManualClock();
    const { log, lines } = collectLog();
    const retry = retryFor({ clock, log });
    const run = () => retry.run(fails(new Error('stuck')), always).catch(() => {});
    const first = Promise.all(Array.from({ length: 50 }, run));
    await clock.advance(33_000);
    await first;
    assert.equal(lines.length, 1);
    assert.equal(retry.counts.stuck, 50);
    const second = run();
    await clock.advance(63_000);
    await second;
    const third = run();
    await clock.advance(33_000);
    await third;
    assert.equal(lines.length, 2);
  });
});
