// A node whose file descriptors are used up: it can open no connection, neither of clients nor to PostgreSQL or Redis.

import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pick } from '../../tests/support/random.ts';
import { limitDescriptors } from '../rig/processes.ts';
import { repeatedly, seconds } from './effect.ts';
import type { Fault } from './fault.ts';

/** Connections without a request: they take whatever the node frees. */
const idleConnections = 300;
/** Descriptors that are left when the limit is set. */
const spare = 20;
/** For the idle connections to take them. */
const settleMs = 500;

export const descriptorsUsedUp = ({ lastsMs = 6000 } = {}): Fault => ({
  name: `the file descriptors of a node used up for ${seconds(lastsMs)}`,
  async inject({ rig, random }) {
    const node = pick(rig.nodes, random);
    const limit = Math.max(...descriptorsOf(node.pid)) + 1 + spare;
    const before = await limitDescriptors(node.pid, limit);
    let times = 0;
    const idle = keepOpen(node.port);
    try {
      await sleep(settleMs);
      // The node loses its connections, and the idle connections take their descriptors.
      await repeatedly(lastsMs, 500, async () => {
        await rig.terminateNodes();
        using connected = await rig.connectRedis();
        for (const type of ['normal', 'pubsub']) await connected.redis.call('CLIENT', 'KILL', 'TYPE', type);
        if (descriptorsOf(node.pid).length >= limit) times += 1;
      });
    } finally {
      idle[Symbol.dispose]();
      await limitDescriptors(node.pid, before);
    }
    return { figure: 'times that the node had to reconnect and had no descriptor', count: times };
  },
});

const descriptorsOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).map(Number);

/** Keeps many connections to a port open, or opening. */
function keepOpen(port: number): Disposable {
  const sockets = new Set<Socket>();
  let ended = false;
  const open = () => {
    if (ended) return;
    const socket = connect(port, '127.0.0.1');
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      setTimeout(open, 10 + Math.random() * 40);
    });
  };
  for (let i = 0; i < idleConnections; i += 1) open();
  return {
    [Symbol.dispose]() {
      ended = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
