// The rig with one node: what it starts can be killed and started again, and an unexpected end is reported.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { growth } from '../../proof/rig/counts.ts';
import { killAll } from '../../proof/rig/processes.ts';
import { Rig } from '../../proof/rig/rig.ts';
import { until } from '../support/process.ts';
import { Guest } from '../support/server.ts';

describe('the rig', { timeout: 120_000 }, () => {
  let rig: Rig;
  const crashes: string[] = [];
  before(async () => {
    rig = await Rig.start({ nodes: 1, env: { DRAIN_DELAY_MS: '0' }, onCrash: (node, how) => crashes.push(`${node} ${how}`) });
  });
  after(() => rig[Symbol.asyncDispose]());
  const onlyNode = () => rig.nodes[0] as Rig['nodes'][0];

  it('counts what happens to its links and nodes', async () => {
    const node = onlyNode();
    const earlier = await rig.counts();
    await Guest.signIn(node.url);
    node.links.redis.reset();
    await until('the node has connected to Redis again', async () => growth(earlier, await rig.counts(), 'redis.reconnects') === 1);
    assert.ok(growth(earlier, await rig.counts(), 'links.clients.connections', 'links.postgres.connections') >= 1);
    assert.equal(growth(earlier, await rig.counts(), 'links.redis.resets'), 2);
    assert.equal(growth(earlier, [{}], 'redis.reconnects'), 0);
  });

  it('keeps the connections reserved for superusers to itself', async () => {
    const [{ super: isSuper }] = await rig.query(
      `select usesuper as super from pg_stat_activity natural join pg_user where application_name = 'gapless'`,
    );
    assert.equal(isSuper, false);
  });

  it('kills PostgreSQL with everything that was not flushed, and starts its recovery', async () => {
    await rig.query('create table flushed as select 1');
    const { pid } = rig.postgres;
    assert.ok((await killAll(pid)) > 3);
    await until('its end is noticed', () => !rig.postgres.running);
    await rig.postgres.start();
    assert.equal((await rig.query('select from flushed')).length, 1);
    assert.match(rig.postgres.output, /automatic recovery in progress/);
    await until('the node is ready', async () => (await onlyNode().ready())?.['ready'] === true);
    assert.deepEqual(crashes, []);
  });

  it('restarts a node at the same address, in order', async () => {
    const { url } = onlyNode();
    const ada = await Guest.signIn(url);
    const roomId = await ada.createRoom();
    await onlyNode().drain();
    await onlyNode().start();
    await ada.send(roomId, 'hello');
    assert.deepEqual(crashes, []);
  });

  it('reports a node that ends unasked, and starts it again', async () => {
    process.kill(onlyNode().pid, 'SIGKILL');
    await until('it is reported', () => crashes.length === 1);
    assert.match(crashes[0] as string, /^0 ended with SIGKILL/);
    await until('it is ready again', async () => (await onlyNode().ready())?.['ready'] === true, 60_000);
  });
});
