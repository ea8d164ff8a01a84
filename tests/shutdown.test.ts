// A node stops under load while another one serves. Its clients lose nothing.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import * as gql from './gql/graphql.ts';
import { EventStream } from './support/event-stream.ts';
import { startNode } from './support/node.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { range } from './support/storage.ts';

const watch = print(gql.MessageAddedDocument);
const send = print(gql.SendMessageDocument);
const theLast = 'The last';
const drainDelayMs = 1000;

describe('a node that stops', { timeout: 120_000 }, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  before(async () => {
    database = await createDatabase();
  });
  after(() => database[Symbol.asyncDispose]());

  const launch = () =>
    startNode({
      DATABASE_URL: database.url,
      REDIS_URL: process.env['REDIS_URL'] as string,
      IDENTITY: 'guest',
      LOG_LEVEL: 'warn',
      DRAIN_DELAY_MS: String(drainDelayMs),
    });

  it('fails no send, closes its sockets in waves with 1012, and exits with 0, and its watchers miss nothing', async () => {
    await using one = await launch();
    await using two = await launch();
    const ada = await Guest.signIn(one.url);
    const roomId = await ada.createRoom();
    const start = (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string;

    // A load balancer: it sends to the first node as long as that node is ready.
    let target = one.url;
    const balancing = (async () => {
      while (target === one.url) {
        const { ok } = await fetch(new URL('/ready', one.url));
        if (!ok) target = two.url;
        await sleep(50);
      }
    })();
    let sending = true;
    const sent: number[] = [];
    const senders = range(1, 8).map(async () => {
      while (sending) sent.push((await ada.at(target).send(roomId, 'hello', randomUUID())).message.number);
    });

    const closes: { how: number | 'end'; at: number }[] = [];
    const watchers = range(1, 200).map(async (index) => {
      const numbers: number[] = [];
      let cursor = start;
      /** Returns whether this was the last message. */
      const record = ({ messageAdded }: gql.MessageAddedSubscription) => {
        numbers.push(messageAdded.number);
        ({ cursor } = messageAdded);
        return messageAdded.body === theLast;
      };
      if (index <= 20) {
        // Like a browser's EventSource.
        for (const url of [one.url, two.url]) {
          using stream = await EventStream.watch(ada.at(url), { roomId }, { 'last-event-id': cursor });
          for (let event = await stream.nextData(); event; event = await stream.nextData()) {
            assert.equal(event.event, 'next');
            if (record(JSON.parse(event.data as string).data)) break;
          }
          if (url === one.url) closes.push({ how: 'end', at: performance.now() });
        }
        return numbers;
      }
      for (const url of [one.url, two.url]) {
        using socket = await RawSocket.signedIn(url, ada.token);
        socket.subscribe('watch', watch, { roomId, after: cursor });
        for (;;) {
          const frame = await socket.next().catch(() => undefined);
          if (!frame || record(frame.payload.data)) break;
        }
        if (url === one.url) closes.push({ how: (await socket.closed).code, at: performance.now() });
      }
      return numbers;
    });
    await until('messages flow', () => sent.length > 100);

    const from = performance.now();
    const exited = one.program.stop('SIGTERM');
    await balancing;
    assert.equal(await exited, 0, one.program.output());
    const tookMs = performance.now() - from;
    // Sending continues on the second node for a while.
    const before = sent.length;
    await until('sends continue', () => sent.length > before + 50);
    sending = false;
    await Promise.all(senders);
    await ada
      .at(two.url)
      .send(roomId, theLast)
      .then(({ message }) => sent.push(message.number));

    sent.sort((a, b) => a - b);
    assert.deepEqual(sent, range(1, sent.length));
    for (const numbers of await Promise.all(watchers)) assert.deepEqual(numbers, sent);

    assert.ok(tookMs < 25_000, `the stop took ${tookMs} ms`);
    const countBy = Object.groupBy(closes, ({ how }) => how);
    assert.deepEqual([countBy[1012]?.length, countBy.end?.length, closes.length], [180, 20, 200]);
    const times = closes.map(({ at }) => at).sort((a, b) => a - b);
    const [first, last] = [times[0], times[199]] as [number, number];
    assert.ok(first - from >= drainDelayMs, `the first socket was closed after ${first - from} ms`);
    assert.ok(last - first > 1000, `all sockets were closed within ${last - first} ms`);
  });

  it('acknowledges every message that it writes, over WebSocket', async () => {
    await using node = await launch();
    const ada = await Guest.signIn(node.url);
    const roomId = await ada.createRoom();
    const answered: number[] = [];
    const codes = new Set<number>();
    const senders = range(1, 30).map(async (index) => {
      using socket = await RawSocket.signedIn(node.url, ada.token);
      // Sent without a pause, so that some are under way when the socket is closed.
      for (const i of range(1, 4)) socket.subscribe(`${i}`, send, { input: { roomId, body: `${index}` } });
      for (let i = 5; ; i += 1) {
        const frame = await socket.next().catch(() => undefined);
        if (!frame) break;
        if (frame.type !== 'next') continue;
        answered.push(frame.payload.data.sendMessage.message.number);
        socket.subscribe(`${i}`, send, { input: { roomId, body: `${index}` } });
      }
      codes.add((await socket.closed).code);
    });
    await until('messages flow', () => answered.length > 100);
    assert.equal(await node.program.stop('SIGTERM'), 0);
    await Promise.all(senders);
    assert.deepEqual(codes, new Set([1012]));

    await using next = await launch();
    const { room } = await ada.at(next.url).must(gql.RoomViewDocument, { id: roomId });
    assert.equal(room?.messages.edges.at(-1)?.node.number, answered.length);
    assert.deepEqual(
      answered.sort((a, b) => a - b),
      range(1, answered.length),
    );
  });

  it('answers a request on a connection that was kept alive, and then closes the connection', async () => {
    await using node = await launch();
    using _keepsItWaiting = await RawSocket.open(node.url);
    const exited = node.program.stop('SIGTERM');
    const ready = new URL('/ready', node.url);
    await until('the node is not ready', async () => (await fetch(ready)).status === 503);
    const response = await fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ viewer { id } }' }),
    });
    assert.deepEqual([response.status, response.headers.get('connection')], [200, 'close']);
    assert.deepEqual(await response.json(), { data: { viewer: null } });
    assert.equal(await exited, 0);
  });
});
