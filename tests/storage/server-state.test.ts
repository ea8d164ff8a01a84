// What the connections of a node find out is logged once.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ServerState } from '../../src/storage/server-state.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function open() {
  const clock = new ManualClock();
  const { log, lines } = collectLog();
  const state = new ServerState(log, true, clock);
  return { state, clock, told: () => lines.splice(0).map(({ level, msg }) => `${level}: ${msg}`) };
}
const refusal = Object.assign(new Error('too many connections'), { code: '53300' });

it('a refusal before the start is not logged, because the start ends with a sentence', () => {
  const { state, told } = open();
  state.refused(refusal);
  assert.equal(state.refusal, undefined);
  assert.deepEqual(told(), []);
});

it('refusals that alternate with connections are logged once a minute, and shown at once', async () => {
  const { state, clock, told } = open();
  state.start();
  for (let i = 0; i < 10; i += 1) {
    state.refused(refusal);
    assert.equal(state.refusal?.code, '53300');
    state.connected();
    assert.equal(state.refusal, undefined);
  }
  const pair = ['warn: the database refuses connections: too many connections', 'info: the database accepts connections again'];
  assert.deepEqual(told(), pair);
  assert.equal(state.counts.connectionsRefused, 10);
  await clock.advance(60_000);
  state.refused(refusal);
  state.connected();
  assert.deepEqual(told(), pair);
});

it('a lost statement ends preparing, and is logged once', () => {
  const { state, told } = open();
  assert.ok(state.mayPrepare);
  state.lostStatement();
  state.lostStatement();
  assert.equal(state.mayPrepare, false);
  assert.equal(told().length, 1);
});
