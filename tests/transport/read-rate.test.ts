// How fast the messages of a client are read from all its sockets together.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReadRate } from '../../src/transport/read-rate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Guest, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

const message = 64 * 1024;

describe('the bytes of a client', () => {
  it('are read at 4 MiB a second after the first 4 MiB, and those of another client at once', async () => {
    const clock = new ManualClock();
    const rate = new ReadRate(clock);
    for (const _ of range(1, 64)) assert.equal(rate.count('ada', message), 0);
    assert.equal(rate.count('ada', message), 1000 / 64);
    assert.equal(rate.count('bob', message), 0);
    await clock.advance(1000);
    assert.equal(rate.count('ada', message), 0);
    await clock.advance(5000);
    for (const _ of range(1, 64)) assert.equal(rate.count('ada', message), 0);
  });

  it('are not counted in short messages', () => {
    const rate = new ReadRate(new ManualClock());
    for (const _ of range(1, 10_000)) assert.equal(rate.count('ada', 1000), 0);
  });

  it('are those of all sockets together', async () => {
    await using server = await startServer();
    const ada = await Guest.signIn(server.url);
    const sockets = await Promise.all(range(1, 4).map(() => RawSocket.signedIn(server.url, ada.token)));
    const startMs = performance.now();
    const padding = 'x'.repeat(message - 100);
    for (const socket of sockets) for (const _ of range(1, 32)) socket.send({ type: 'ping', payload: { padding } });
    for (const socket of sockets) for (const _ of range(1, 32)) assert.equal((await socket.next()).type, 'pong');
    // 8 MiB, of which 4 are read at once.
    assert.ok(performance.now() - startMs > 500, `${performance.now() - startMs} ms`);
    for (const socket of sockets) socket.terminate();
  });
});
