// How often a client may send on one socket: what exceeds the rate is refused for that operation only, and a flood is read slowly.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageRate } from '../../src/transport/message-rate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

const me = '{ viewer { user { id } } }';

describe('the rate of a socket', () => {
  const bounds = { operationsPerSecond: 20, operationBurst: 60 };
  const begin = (rate: MessageRate, count: number) => range(1, count).map(() => rate.countOperation());

  it('lets a burst begin at once, and then each operation after its share of a second', async () => {
    const clock = new ManualClock();
    const rate = new MessageRate(bounds, clock);
    assert.deepEqual(begin(rate, 62), [...Array(60).fill(0), 50, 50]);
    await clock.advance(50);
    assert.deepEqual(begin(rate, 2), [0, 50]);
    await clock.advance(20);
    assert.deepEqual(begin(rate, 1), [30]);
    await clock.advance(980);
    assert.equal(begin(rate, 30).filter((ms) => ms === 0).length, 20);
    await clock.advance(60_000);
    assert.equal(begin(rate, 100).filter((ms) => ms === 0).length, 60);
  });

  it('pauses reading for as long as a flood exceeds ten times the rate, and for ten seconds at most', async () => {
    const clock = new ManualClock();
    const rate = new MessageRate(bounds, clock);
    for (const _ of range(1, 600)) assert.equal(rate.countMessage(), 0);
    assert.equal(rate.countMessage(), 5);
    for (const _ of range(1, 198)) rate.countMessage();
    assert.equal(rate.countMessage(), 1000);
    for (const _ of range(1, 10_000)) rate.countMessage();
    assert.equal(rate.countMessage(), 10_000);
    await clock.advance(10_000);
    assert.equal(rate.countMessage(), 5);
  });

  it('pauses reading while bytes come faster than 4 MiB a second, even if the limits are turned off', async () => {
    const clock = new ManualClock();
    const rate = new MessageRate({ operationsPerSecond: Number.POSITIVE_INFINITY, operationBurst: Number.POSITIVE_INFINITY }, clock);
    const message = 64 * 1024;
    for (const _ of range(1, 64)) assert.equal(rate.countMessage(message), 0);
    assert.equal(rate.countMessage(message), 1000 / 64);
    await clock.advance(1000);
    assert.equal(rate.countMessage(message), 0);
  });

  it('has no limit if it is turned off', () => {
    const rate = new MessageRate(
      { operationsPerSecond: Number.POSITIVE_INFINITY, operationBurst: Number.POSITIVE_INFINITY },
      new ManualClock(),
    );
    for (const _ of range(1, 10_000)) assert.deepEqual([rate.countOperation(), rate.countMessage()], [0, 0]);
  });
});

describe('a socket above its rate', () => {
  const watch = 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename ... on MessageAdded { message { body } } } }';

  it('has the operation refused with RATE_LIMITED and retryAfterMs, and goes on with the others', async () => {
    await using server = await startServer({ bounds: { operationsPerSecond: 0.001, operationBurst: 5 } });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    using socket = await RawSocket.signedIn(server.url, ada.token);
    socket.subscribe('watch', watch, { roomId });
    assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    for (const id of range(1, 4)) assert.equal((await socket.ask(String(id), me)).type, 'next');
    for (const id of ['refused', 'refused', 'refused again']) {
      const { type, payload } = await socket.ask(id, me);
      assert.deepEqual([type, payload[0].extensions.code], ['error', 'RATE_LIMITED']);
      assert.ok(payload[0].extensions.retryAfterMs > 900_000);
    }
    socket.send({ type: 'ping' });
    assert.equal((await socket.next()).type, 'pong');
    await ada.send(roomId, 'Hello');
    assert.equal((await socket.next()).payload.data.roomEvents.message.body, 'Hello');
    // Another socket of the same viewer has a rate of its own.
    using other = await RawSocket.signedIn(server.url, ada.token);
    assert.equal((await other.ask('1', me)).type, 'next');
    socket.send({ id: 'watch', type: 'complete' });
    await until('nobody watches', () => server.app.liveRooms.size === 0);
  });

  it('has a refused operation accepted after retryAfterMs', async () => {
    await using server = await startServer({ bounds: { operationsPerSecond: 10, operationBurst: 3 } });
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    for (const id of range(1, 3)) assert.equal((await socket.ask(String(id), me)).type, 'next');
    for (let attempt = 1; ; attempt += 1) {
      const { type, payload } = await socket.ask('again', me);
      if (type === 'next') break;
      assert.ok(attempt < 3);
      assert.ok(payload[0].extensions.retryAfterMs <= 100);
      await new Promise((resolve) => setTimeout(resolve, payload[0].extensions.retryAfterMs));
    }
  });

  it('is read slowly if it floods the server, is not closed, and does not delay others', async () => {
    await using server = await startServer({ bounds: { operationsPerSecond: 20, operationBurst: 60 } });
    const ada = await Guest.signIn(server.url);
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const startMs = performance.now();
    const count = 1200;
    socket.sendTogether(range(1, count).map((n) => ({ type: 'ping', payload: { n, padding: 'x'.repeat(1000) } })));
    for (const n of range(1, count)) assert.equal((await socket.next()).payload.n, n);
    // 600 at once, and 200 in each second after that; what is in one packet is read together.
    assert.ok(performance.now() - startMs > 2000);
    assert.ok(socket.open);
    assert.equal((await socket.ask('1', me)).type, 'next');
  });
});
