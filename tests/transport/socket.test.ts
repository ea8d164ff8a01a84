// WebSockets and event streams of one node, with a clock that the test moves: how pings find clients that are gone, and how
// the connections of users are ended.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { Viewer } from '../../src/chat/identity.ts';
import { readConfig } from '../../src/config.ts';
import { Limits } from '../../src/limits/limits.ts';
import { RefusalLog } from '../../src/limits/refusal-log.ts';
import type { ResultSource } from '../../src/schema/subscription.ts';
import { Connections } from '../../src/transport/connections.ts';
import { writeEventStream } from '../../src/transport/event-stream.ts';
import { ClientSocket } from '../../src/transport/socket.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';
import { viewerOf } from '../support/viewer.ts';

const pingMs = 12_000;

/** A node whose WebSockets and event streams are those of the user that the path names. */
async function openNode(expiresAt = new Date(Date.now() + 1e9)) {
  const clock = new ManualClock();
  const viewerAt = (path = '/') => (path === '/' ? undefined : viewerOf(path.slice(1), expiresAt));
  const connections = new Connections(silentLog, { pingMs }, clock);
  const limits = new Limits(readConfig({}).limits, undefined, new RefusalLog(silentLog, clock), silentLog, clock);
  const server = createServer((request, response) => void stream(connections, viewerAt(request.url), response));
  const webSockets = new WebSocketServer({ noServer: true });
  const sockets: ClientSocket[] = [];
  server.on('connection', connections.add);
  server.on('upgrade', (request, stream, head) =>
    webSockets.handleUpgrade(request, stream, head, (webSocket) => {
      const openSocket = limits.sockets.open(undefined);
      sockets.push(new ClientSocket(webSocket, connections.of(stream), viewerAt(request.url), silentLog, openSocket));
    }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;

  async function connect(userId: string) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${userId}`);
    let pings = 0;
    socket.on('ping', () => {
      pings += 1;
    });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await once(socket, 'open');
    return { socket, closed, pings: () => pings };
  }

  return {
    clock,
    connections,
    connect,
    /** Reads the event stream of a user to its end. */
    read: async (userId: string) => (await fetch(`http://127.0.0.1:${port}/${userId}`)).text(),
    [Symbol.dispose]() {
      connections.destroy('all');
      connections[Symbol.dispose]();
      server.close();
    },
  };
}

function stream(connections: Connections, viewer: Viewer | undefined, response: ServerResponse): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const source: ResultSource = { cursor: 'cursor', run: () => stopped.promise, stop: () => stopped.resolve() };
  return writeEventStream(response, source, connections.of(response.req.socket), viewer);
}

describe('a WebSocket', () => {
  it('whose client answers pings stays open, and is pinged at each interval', async () => {
    using node = await openNode();
    const { socket, pings } = await node.connect('ada');
    for (let count = 1; count <= 10; count += 1) {
      await node.clock.advance(pingMs);
      await until('it is pinged', () => pings() === count);
      // The server has the pong once it has answered another ping.
      await new Promise<void>((resolve) => socket.once('pong', () => resolve()).ping());
    }
    assert.equal(socket.readyState, WebSocket.OPEN);
    assert.equal(node.connections.counts.stalled, 0);
  });

  it('whose client answers no ping is closed with 1013 when the third is due, and not before', async () => {
    using node = await openNode();
    const { socket, closed } = await node.connect('ada');
    socket.pause();
    for (const stalled of [0, 0, 1]) {
      await node.clock.advance(pingMs);
      assert.equal(node.connections.counts.stalled, stalled);
    }
    socket.resume();
    assert.equal(await closed, 1013);
  });
});

describe('a WebSocket with a token', () => {
  for (const [when, expiresAt] of [
    ['in 30 days, which is longer than a timer can be', new Date(Date.now() + 30 * 86_400_000)],
    ['in the year 9999', new Date(Date.UTC(9999, 11, 31))],
    ['later than a Date can be', new Date(Number.NaN)],
  ] as const) {
    it(`that expires ${when} stays open`, async () => {
      using node = await openNode(expiresAt);
      const { socket } = await node.connect('ada');
      await node.clock.advance(2000);
      await new Promise<void>((resolve) => socket.once('pong', () => resolve()).ping());
      assert.equal(socket.readyState, WebSocket.OPEN);
    });
  }

  it('that has expired is closed with 4403 at the next tick', async () => {
    using node = await openNode(new Date(Date.now() - 5001));
    const { closed } = await node.connect('ada');
    await node.clock.advance(1000);
    assert.equal(await closed, 4403);
  });
});

describe('the connections of a user who is gone', () => {
  it('end: WebSockets with 4403, event streams with UNAUTHENTICATED, and those of others go on', async () => {
    using node = await openNode();
    const gone = [await node.connect('ada'), await node.connect('ada'), await node.connect('bob')];
    const others = [await node.connect('cleo'), await node.connect('')];
    const streams = [node.read('ada'), node.read('bob')];
    const other = node.read('dora');
    await until('all are open', () => node.connections.viewerIds().size === 4 && node.connections.size >= 8);
    assert.deepEqual(node.connections.viewerIds(), new Set(['ada', 'bob', 'cleo', 'dora']));

    node.connections.endViewers(new Set(['ada', 'bob', 'nobody']));
    for (const { closed } of gone) assert.equal(await closed, 4403);
    for (const stream of streams) {
      const text = await stream;
      assert.match(text, /"code":"UNAUTHENTICATED"/);
      assert.doesNotMatch(text, /event: complete/);
    }
    await until('they are forgotten', () => node.connections.viewerIds().size === 2);
    assert.deepEqual(node.connections.viewerIds(), new Set(['cleo', 'dora']));
    for (const { socket } of others) assert.equal(socket.readyState, WebSocket.OPEN);

    await node.connections.end({ now: true });
    assert.doesNotMatch(await other, /UNAUTHENTICATED/);
    for (const { closed } of others) assert.equal(await closed, 1012);
  });
});
