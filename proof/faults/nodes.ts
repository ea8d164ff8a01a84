// Nodes that are killed, replaced or paused.

import { setTimeout as sleep } from 'node:timers/promises';
import { pick } from '../../tests/support/random.ts';
import { repeatedly, seconds } from './effect.ts';
import type { Fault } from './fault.ts';

export const nodeKilled = ({ downMs = 3000 } = {}): Fault => ({
  name: `a node killed, and started again after ${seconds(downMs)}`,
  async inject({ rig, random }) {
    const node = pick(rig.nodes, random);
    const { open } = node.links.clients;
    await node.stop('SIGKILL');
    await sleep(downMs);
    await node.start();
    return { figure: 'connections of clients that were lost with it', count: open };
  },
});

/** A deployment: each node ends in order, and is ready again before the next one ends. */
export const rollingRestart = (): Fault => ({
  name: 'a rolling restart',
  async inject({ rig }) {
    let moved = 0;
    for (const node of rig.nodes) {
      moved += node.links.clients.open;
      await node.drain();
      await node.start();
    }
    return { figure: 'connections of clients that had to move', count: moved };
  },
});

export const nodePaused = ({ lastsMs = 10_000 } = {}): Fault => ({
  name: `a node paused for ${seconds(lastsMs)}`,
  async inject({ rig, random }) {
    const node = pick(rig.nodes, random);
    let unanswered = 0;
    node.pause();
    try {
      await repeatedly(lastsMs, 0, async () => {
        if ((await node.ready(1000)) === undefined) unanswered += 1;
      });
    } finally {
      node.resume();
    }
    return { figure: 'requests that it did not answer within 1 s', count: unanswered };
  },
});
