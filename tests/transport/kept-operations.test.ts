// What a socket keeps of its operations: their texts and declared variables, within a limit.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { queryObjects } from 'node:v8';
import { maxKeptBytes, maxOperations } from '../../src/transport/limits.ts';
import { Operation } from '../../src/transport/operation.ts';
import { until } from '../support/process.ts';
import { type Guest, type Server, startRoom } from '../support/server.ts';
import { type Frame, RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

const me = '{ viewer { user { id } } }';
const watch = 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename ... on MessageAdded { message { body } } } }';

describe('the operations of a socket', { timeout: 60_000 }, () => {
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    ({ server, ada, roomId } = await startRoom());
  });
  after(() => server[Symbol.asyncDispose]());

  const complete = (id: unknown) => ({ id: String(id), type: 'complete' });
  const subscribe = (id: unknown, payload: object) => ({ id: String(id), type: 'subscribe', payload });
  const nextOf = async (socket: RawSocket, count: number) => {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await socket.next());
    return frames;
  };
  const unwatched = () => until('nobody watches', () => server.app.liveRooms.size === 0);

  it('may have 1 MiB of texts under way, and more is RATE_LIMITED until some have ended', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const text = watch.padEnd(60_000);
    const fitting = Math.floor(maxKeptBytes / (text.length + 200));
    for (const id of range(1, fitting)) {
      socket.send(subscribe(id, { query: text, variables: { roomId } }));
      assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    }
    for (const id of ['too much', 'too much again']) {
      const { type, payload } = await socket.ask(id, text, { roomId });
      assert.deepEqual([type, payload[0].extensions.code], ['error', 'RATE_LIMITED']);
      assert.ok(payload[0].extensions.retryAfterMs > 0);
    }
    assert.equal((await socket.ask('small', me)).type, 'next');
    socket.send(complete(1));
    socket.send(subscribe('fits again', { query: text, variables: { roomId } }));
    assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    socket.close();
    await unwatched();
  });

  it('include those that wait for their id', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const text = watch.padEnd(60_000);
    const ids = range(1, 30);
    socket.sendTogether(
      ids.flatMap((id) => [subscribe(id, { query: me }), complete(id), subscribe(id, { query: text, variables: { roomId } })]),
    );
    const frames = await nextOf(socket, ids.length);
    const refused = frames.filter(({ type }) => type === 'error');
    assert.ok(refused.length >= 12, `${refused.length} were refused`);
    for (const { payload } of refused) assert.equal(payload[0].extensions.code, 'RATE_LIMITED');
    socket.close();
    await unwatched();
  });

  it('keep neither extensions, nor undeclared variables, nor unknown fields, nor white space', async () => {
    const padding = () => 'x'.repeat(60_000);
    const list = () => Array(15_000).fill({});
    const payloads: (() => object)[] = [
      () => ({ query: watch, variables: { roomId }, extensions: { list: list() } }),
      () => ({ query: watch, variables: { roomId, list: list() } }),
      () => ({ query: watch, variables: { roomId, padding: padding() } }),
      () => ({ query: watch, variables: { roomId }, padding: padding() }),
    ];
    const sockets: RawSocket[] = [];
    const heapBytes = () => {
      // Counting collects garbage.
      queryObjects(Operation as never, { format: 'count' });
      return process.memoryUsage().heapUsed;
    };
    const open = async () => {
      const socket = await RawSocket.signedIn(server.url, ada.token);
      sockets.push(socket);
      for (const id of range(1, maxOperations)) {
        socket.send(subscribe(id, (payloads[id % payloads.length] as () => object)()));
        assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
      }
    };
    await open();
    const beforeBytes = heapBytes();
    await open();
    await open();
    // 200 subscriptions of 12 MB, which are over 50 MB once they are parsed. A subscription itself has some 15 KB.
    const grownBytes = heapBytes() - beforeBytes;
    assert.ok(grownBytes < 6e6, `The heap grew by ${grownBytes} bytes.`);
    await ada.send(roomId, 'Hello');
    for (const socket of sockets) {
      const frame = await socket.next();
      assert.equal(frame.payload.data.roomEvents.message.body, 'Hello');
      socket.terminate();
    }
    await unwatched();
  });

  it('share results, whatever else they carry', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    for (const id of range(1, 10)) {
      socket.send(subscribe(id, { query: watch, variables: { roomId, other: id }, extensions: { id } }));
      assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    }
    await ada.send(roomId, 'Hello');
    const frames = await nextOf(socket, 10);
    assert.deepEqual(new Set(frames.map(({ payload }) => payload.data.roomEvents.message.body)), new Set(['Hello']));
  });
});
