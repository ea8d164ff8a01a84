// What is written to one connection, when it leaves, and in which form.

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as ws from 'ws';
import { realClock } from '../../src/clock.ts';
import { Connection } from '../../src/transport/connection.ts';
import { encode, textFrame, toBytes } from '../../src/transport/encode.ts';
import { silentLog } from '../support/server.ts';

// The types of ws do not know what its own clients read with.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

const bounds = { highWaterMarkBytes: 1000, maxBytes: 10_000, maxNodeBytes: 100_000, stalledMs: 1000, pingMs: 1000 };

/** A connection whose kernel takes nothing, and what is written to it. */
function connect() {
  const node = { bounds, log: silentLog, clock: realClock, waitingBytes: 0, backpressured: 0, stalled: 0 };
  const connection = new Connection(node, new Socket());
  const written: string[] = [];
  connection.outlet = { write: (bytes) => written.push(bytes) };
  return { connection, written, node };
}

describe('what is written to a connection', () => {
  it('in one turn of the event loop leaves together at its end', async () => {
    const [one, other] = [connect(), connect()];
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

  it('leaves at once where as much waits as may', async () => {
    const { connection, written } = connect();
    connection.write('x'.repeat(999));
    assert.deepEqual(written, []);
    connection.write('y');
    assert.deepEqual(written, [`${'x'.repeat(999)}y`]);
    await setImmediate();
    assert.equal(written.length, 1);
  });

  it('leaves in front of what is written past it', () => {
    const { connection, written } = connect();
    connection.write('a');
    connection.flush();
    assert.deepEqual(written, ['a']);
  });
});

describe('a frame', () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
    it(`of ${length} bytes is what a WebSocket client reads`, async () => {
      const text = 'ä'.repeat(length >> 1) + 'x'.repeat(length & 1);
      const receiver = new Receiver({ isServer: false });
      const read = new Promise<string>((resolve) => receiver.once('message', (data: Buffer) => resolve(String(data))));
      receiver.write(Buffer.from(textFrame(toBytes(text)), 'latin1'));
      assert.equal(await read, text);
    });
  }

  it('holds a result in any script, encoded once', () => {
    const result = { data: { body: 'Grüße, 안녕하세요, 😀, \u{d800} and \u2028' } };
    const bytes = encode(result);
    assert.deepEqual(JSON.parse(Buffer.from(bytes, 'latin1').toString()), result);
    assert.equal(encode(result), bytes);
  });
});
