// When the bytes that are written to a connection leave, in which form, and which clients are disconnected.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as ws from 'ws';
import { realClock } from '../../src/clock.ts';
import { Connection, checksToStall } from '../../src/transport/connection.ts';
import { Connections } from '../../src/transport/connections.ts';
import { encode, textFrame, toBytes } from '../../src/transport/encode.ts';
import { ReadRate } from '../../src/transport/read-rate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';

// @types/ws lacks the class that reads frames.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

const rate = { operationsPerSecond: 20, operationBurst: 60 };
const bounds = {
  ...rate,
  highWaterMarkBytes: 1000,
  maxBytes: 10_000,
  maxNodeBytes: 100_000,
  maxLargeBytes: 200_000,
  stalledMs: 1000,
  pingMs: 1000,
};

/** A connection whose kernel takes nothing, and what was written to it. */
function fullKernel() {
  const node = { bounds, log: silentLog, clock: realClock, reads: new ReadRate(realClock), waitingBytes: 0, backpressured: 0, stalled: 0 };
  const connection = new Connection(node, new Socket());
  const written: string[] = [];
  connection.outlet = { write: (bytes) => written.push(bytes) };
  return { connection, written, node };
}

describe('what is written to a connection', () => {
  it('in one turn of the event loop leaves in one piece at the end of the turn', async () => {
    const [one, other] = [fullKernel(), fullKernel()];
    for (const text of ['a', 'b', 'c']) {
      one.connection.write(text);
      other.connection.write(text.toUpperCase());
    }
    assert.deepEqual([one.written, other.written], [[], []]);
    assert.equal(one.node.waitingBytes, 3);
    await setImmediate();
    assert.deepEqual([one.written, other.written], [['abc'], ['ABC']]);
    one.connection.write('d');
    await setImmediate();
    assert.deepEqual(one.written, ['abc', 'd']);
  });

  it('leaves at once at the high-water mark', async () => {
    const { connection, written } = fullKernel();
    connection.write('x'.repeat(999));
    assert.deepEqual(written, []);
    connection.write('y');
    assert.deepEqual(written, [`${'x'.repeat(999)}y`]);
    await setImmediate();
    assert.equal(written.length, 1);
  });

  it('leaves at once when it is flushed', () => {
    const { connection, written } = fullKernel();
    connection.write('a');
    connection.flush();
    assert.deepEqual(written, ['a']);
  });
});

describe('a client', () => {
  const stalledMs = 1000;
  const checkMs = stalledMs / checksToStall;
  const answer = 'x'.repeat(128 * 1024 * 1024);

  /** A client that was sent one long answer and reads nothing of it yet. */
  async function connectClient() {
    const clock = new ManualClock();
    const connections = new Connections(silentLog, { stalledMs }, clock);
    const server = createServer((stream) => connections.add(stream.on('error', () => {})));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const accepted = once(server, 'connection');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    // The server cuts it while it is being answered.
    client.on('error', () => {});
    const [stream] = (await accepted) as [Socket & { readonly _handle: { readonly writeQueueSize: number } }];
    connections.of(stream).write(answer);
    await until('the kernel takes no more', () => stream._handle.writeQueueSize > 0);
    return {
      clock,
      connections,
      client,
      stream,
      [Symbol.dispose]() {
        client.destroy();
        connections[Symbol.dispose]();
        server.close();
      },
    };
  }

  it('that takes one long answer slowly is not disconnected', async () => {
    using slow = await connectClient();
    for (let check = 0; check < 3 * checksToStall; check += 1) {
      const left = slow.stream._handle.writeQueueSize;
      while (slow.stream._handle.writeQueueSize === left) {
        const chunk = once(slow.client, 'data');
        slow.client.resume();
        await chunk;
        slow.client.pause();
        await setImmediate();
      }
      await slow.clock.advance(checkMs);
    }
    assert.ok(slow.stream._handle.writeQueueSize > 0);
    assert.equal(slow.connections.counts.stalled, 0);
    assert.equal(slow.stream.destroyed, false);
  });

  it('that takes nothing is disconnected at the tenth check, and not before', async () => {
    using stalled = await connectClient();
    // The first check only notes how far it is.
    await stalled.clock.advance(checkMs);
    for (let check = 1; check <= checksToStall; check += 1) {
      assert.equal(stalled.stream.destroyed, false);
      await stalled.clock.advance(checkMs);
    }
    assert.deepEqual(stalled.connections.counts, { waitingBytes: 0, backpressured: 0, stalled: 1 });
    assert.equal(stalled.stream.destroyed, true);
  });
});

describe('a frame', () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
    it(`of ${length} bytes is read by a WebSocket client`, async () => {
      const text = 'ä'.repeat(length >> 1) + 'x'.repeat(length & 1);
      const receiver = new Receiver({ isServer: false });
      const read = new Promise<string>((resolve) => receiver.once('message', (data: Buffer) => resolve(String(data))));
      receiver.write(Buffer.from(textFrame(toBytes(text)), 'latin1'));
      assert.equal(await read, text);
    });
  }

  it('holds a result in any script, which is encoded once', () => {
    const result = { data: { body: 'Grüße, 안녕하세요, 😀, \u{d800} and \u2028' } };
    const bytes = encode(result);
    assert.deepEqual(JSON.parse(Buffer.from(bytes, 'latin1').toString()), result);
    assert.equal(encode(result), bytes);
  });
});

describe('a large result', () => {
  it('is accepted while less than half of what may wait at the node waits, even if its own connection is idle', () => {
    const { connection, node } = fullKernel();
    assert.equal(connection.accepts(50_000), true);
    assert.equal(connection.accepts(50_001), false);
    node.waitingBytes = 45_000;
    assert.equal(connection.accepts(5001), false);
    assert.equal(connection.full, false);
  });

  it('is refused while 64 MiB wait, unless a test sets another bound', () => {
    using connections = new Connections(silentLog, {}, new ManualClock());
    const stream = new Socket();
    connections.add(stream);
    const connection = connections.of(stream);
    const mebibyte = 1024 * 1024;
    assert.deepEqual(
      [64 * mebibyte, 64 * mebibyte + 1].map((bytes) => connection.accepts(bytes)),
      [true, false],
    );
    stream.destroy();
  });

  it('does not keep a small one from being accepted', () => {
    const { connection, node } = fullKernel();
    node.waitingBytes = 200_000;
    assert.equal(connection.accepts(1000), true);
    assert.equal(connection.accepts(1001), false);
  });
});
