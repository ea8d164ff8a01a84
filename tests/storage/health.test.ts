// The state of the database is read from memory and refreshed by probes.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DatabaseHealth } from '../../src/storage/health.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** The health of a database whose probes the test answers. */
function openHealth() {
  const clock = new ManualClock();
  const { log, lines } = collectLog();
  const probes: PromiseWithResolvers<void>[] = [];
  const probe = () => {
    const asked = Promise.withResolvers<void>();
    probes.push(asked);
    return asked.promise;
  };
  return { health: new DatabaseHealth(probe, log, clock), clock, probes, lines };
}

it('is probed once a second by one probe at a time', async () => {
  const { health, clock, probes } = openHealth();
  await clock.advance(5000);
  assert.equal(probes.length, 1);
  probes[0]?.resolve();
  await clock.advance(1000);
  assert.equal(probes.length, 2);
  health[Symbol.dispose]();
});

it('is unavailable from a failed probe until the next successful one, and each change is logged once', async () => {
  const { health, clock, probes, lines } = openHealth();
  const states = [health.state];
  for (const outcome of ['fail', 'fail', 'succeed', 'succeed']) {
    await clock.advance(1000);
    if (outcome === 'fail') probes.at(-1)?.reject(new Error('connection refused'));
    else probes.at(-1)?.resolve();
    await clock.advance(0);
    states.push(health.state);
  }
  assert.deepEqual(states, ['ok', 'unavailable', 'unavailable', 'ok', 'ok']);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      ['warn', 'the database does not answer'],
      ['info', 'the database answers again'],
    ],
  );
  health[Symbol.dispose]();
});

it('is unavailable while a probe has no answer, and ok when the answer arrives', async () => {
  const { health, clock, probes } = openHealth();
  await clock.advance(3000);
  assert.equal(health.state, 'ok');
  await clock.advance(1000);
  assert.equal(health.state, 'unavailable');
  probes[0]?.resolve();
  await clock.advance(0);
  assert.equal(health.state, 'ok');
  health[Symbol.dispose]();
});

it('neither logs nor probes after it is closed', async () => {
  const { health, clock, probes, lines } = openHealth();
  await clock.advance(1000);
  health[Symbol.dispose]();
  probes[0]?.reject(new Error('the pool is closed'));
  await clock.advance(5000);
  assert.equal(probes.length, 1);
  assert.deepEqual(lines, []);
});
