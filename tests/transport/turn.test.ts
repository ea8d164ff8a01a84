// Writers that fail: each is told, and none stops the others.

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { GaplessError } from '../../src/errors.ts';
import { Connections } from '../../src/transport/connections.ts';
import { flushNow, flushSoon } from '../../src/transport/turn.ts';
import { collectLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { viewerOf } from '../support/viewer.ts';

const failure = new Error('This writer fails.');

describe('the end of a turn', () => {
  /** Writers, of which every second one fails. */
  function createWriters(count: number) {
    const flushed: number[] = [];
    const failed: [number, unknown][] = [];
    const writers = Array.from({ length: count }, (_, index) => ({
      flush() {
        if (index % 2 === 0) throw failure;
        flushed.push(index);
      },
      fail: (error: unknown) => failed.push([index, error]),
    }));
    return { writers, flushed, failed };
  }

  it('flushes every writer, although others fail', async () => {
    const { writers, flushed, failed } = createWriters(5);
    for (const writer of writers) flushSoon(writer);
    await setImmediate();
    assert.deepEqual(flushed, [1, 3]);
    assert.deepEqual(
      failed,
      [0, 2, 4].map((index) => [index, failure]),
    );
  });

  it('is not waited for by a writer that is flushed now, which may fail as well', () => {
    const { writers, flushed, failed } = createWriters(2);
    for (const writer of writers) flushNow(writer);
    assert.deepEqual([flushed, failed], [[1], [[0, failure]]]);
  });
});

describe('a connection that fails', () => {
  const viewer = viewerOf('ada');

  /** Three connections, of which the middle one fails at whatever is done with it. */
  function open() {
    const { log, lines } = collectLog();
    const clock = new ManualClock();
    const connections = new Connections(log, { stalledMs: 1000, pingMs: 100 }, clock);
    const done: string[] = [];
    const streams = [0, 1, 2].map((index) => {
      const stream = new Socket();
      connections.add(stream);
      const connection = connections.of(stream);
      const work = (what: string) => () => {
        if (index === 1) throw failure;
        done.push(`${what} ${index}`);
      };
      connection.use = { viewer, tick: work('tick'), revoke: work('revoke'), end: work('end') };
      connection.outlet = { write: work('write') };
      return { stream, connection };
    });
    const assertCut = () => {
      assert.deepEqual(
        streams.map(({ stream }) => stream.destroyed),
        [false, true, false],
      );
      assert.deepEqual(
        lines.map(({ level, error }) => [level, (error as Error).message]),
        [['error', failure.message]],
      );
    };
    return { clock, connections, streams, done, assertCut, [Symbol.dispose]: () => connections[Symbol.dispose]() };
  }

  it('in a tick is cut, and the others go on', async () => {
    using opened = open();
    await opened.clock.advance(100);
    assert.deepEqual(opened.done, ['tick 0', 'tick 2']);
    opened.assertCut();
  });

  it('in a write is cut, and the others go on', async () => {
    using opened = open();
    for (const { connection } of opened.streams) connection.write('x');
    await setImmediate();
    assert.deepEqual(opened.done, ['write 0', 'write 2']);
    opened.assertCut();
  });

  it('in a write that fills it is cut, and the writer goes on', () => {
    using opened = open();
    for (const { connection } of opened.streams) connection.write('x'.repeat(64 * 1024));
    assert.deepEqual(opened.done, ['write 0', 'write 2']);
    opened.assertCut();
  });

  it('while the node ends is cut, and the others end', async () => {
    using opened = open();
    await opened.connections.end({ now: true });
    assert.deepEqual(opened.done, ['end 0', 'end 2']);
    opened.assertCut();
  });

  it('while it is revoked is cut, and the others are revoked', () => {
    using opened = open();
    opened.connections.endViewers(new Set(['ada']));
    assert.deepEqual(opened.done, ['revoke 0', 'revoke 2']);
    opened.assertCut();
  });

  it('is revoked once its token has expired, in place of its tick', async () => {
    using opened = open();
    const [first] = opened.streams;
    const reasons: unknown[] = [];
    const expired = viewerOf('ada', new Date(Date.now() - 5001));
    Object.assign(first?.connection ?? {}, {
      use: { viewer: expired, tick: () => reasons.push('tick'), revoke: (reason: unknown) => reasons.push(reason), end() {} },
    });
    await opened.clock.advance(100);
    assert.equal(reasons.length, 1);
    assert.ok(reasons[0] instanceof GaplessError && reasons[0].code === 'UNAUTHENTICATED');
  });
});
