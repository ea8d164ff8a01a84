// Clients that read slowly or not at all: what they cost the node, how they are disconnected, and that nobody else notices.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Bounds } from '../../src/transport/connection.ts';
import { maxOperations } from '../../src/transport/limits.ts';
import * as gql from '../gql/graphql.ts';
import { EventStream } from '../support/event-stream.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

/** 12,000 bytes. */
const body = '界'.repeat(4000);
/** Selects the body `times` times, so that a few messages are many bytes. */
const watching = (times: number) => `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { number cursor ${range(1, times).map((i) => `body${i}: body`)} }
}`;
const watch = watching(8);
const eventBytes = 8 * Buffer.byteLength(body) + 1000;
/** More events than the kernel buffers for a client that does not read, which is some megabytes. */
const kernelFull = 150;

interface Counts {
  readonly waitingBytes: number;
  readonly backpressured: number;
  readonly stalled: number;
}

describe('a client that does not read', { timeout: 120_000 }, () => {
  let place: Awaited<ReturnType<typeof createPlace>>;
  before(async () => {
    place = await createPlace('PostgreSQL');
  });
  after(() => place[Symbol.asyncDispose]());

  /** A server with bounds of its own, a room, and a watcher that reads. */
  async function watched(bounds: Partial<Bounds> = {}) {
    const server: Server = await startServer({ env: place.env, bounds });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const reader = await RawSocket.signedIn(server.url, ada.token);
    const { syncCursor } = (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages ?? {};
    reader.subscribe('watch', watching(1), { roomId, after: syncCursor });
    const counts = async () => {
      const ready = await fetch(new URL('/ready', server.url));
      return ((await ready.json()) as { counts: { sockets: Counts } }).counts.sockets;
    };
    let sent = 0;
    return {
      server,
      ada,
      roomId,
      after: syncCursor as string,
      counts,
      /** Sends messages, and asserts that the watcher receives each of them. */
      async send(count: number) {
        const first = sent + 1;
        sent += count;
        let left = count;
        const sender = async () => {
          for (; left > 0; ) {
            left -= 1;
            await ada.send(roomId, body);
          }
        };
        await Promise.all(range(1, 8).map(sender));
        for (const number of range(first, sent)) assert.equal((await reader.next()).payload.data.messageAdded.number, number);
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  }

  /** The numbers of the next messages of a socket. */
  async function read(socket: RawSocket, count: number): Promise<number[]> {
    const numbers = [];
    for (let i = 0; i < count; i += 1) numbers.push((await socket.next()).payload.data.messageAdded.number);
    return numbers;
  }

  it('over WebSocket costs 64 KiB and one event, delays nobody, and continues where it stopped', async () => {
    await using room = await watched();
    using stopped = await RawSocket.signedIn(room.server.url, room.ada.token);
    stopped.subscribe('watch', watch, { roomId: room.roomId, after: room.after });
    await room.send(1);
    assert.deepEqual(await read(stopped, 1), [1]);
    stopped.pause();
    await room.send(kernelFull);
    const { waitingBytes, backpressured } = await room.counts();
    assert.ok(waitingBytes >= 64 * 1024 && waitingBytes < 64 * 1024 + 2 * eventBytes, `${waitingBytes} bytes wait`);
    assert.ok(backpressured > 0);
    stopped.resume();
    assert.deepEqual(await read(stopped, kernelFull), range(2, kernelFull + 1));
    await room.send(1);
    assert.deepEqual(await read(stopped, 1), [kernelFull + 2]);
    assert.deepEqual(await room.counts(), { waitingBytes: 0, backpressured: (await room.counts()).backpressured, stalled: 0 });
  });

  it('over server-sent events costs as much, and continues where it stopped', async () => {
    await using room = await watched();
    using stopped = await EventStream.open(room.ada, watch, { variables: { roomId: room.roomId, after: room.after } });
    await room.send(kernelFull);
    const { waitingBytes } = await room.counts();
    assert.ok(waitingBytes >= 64 * 1024 && waitingBytes < 64 * 1024 + 2 * eventBytes, `${waitingBytes} bytes wait`);
    for (const number of range(1, kernelFull)) assert.equal((await stopped.nextMessage()).number, number);
    await until('nothing waits', async () => (await room.counts()).waitingBytes === 0);
  });

  it('over WebSocket is closed with 1013 when it takes nothing, and resumes with nothing lost', async () => {
    await using room = await watched({ stalledMs: 500 });
    using stopped = await RawSocket.signedIn(room.server.url, room.ada.token);
    stopped.subscribe('watch', watch, { roomId: room.roomId, after: room.after });
    await room.send(1);
    let { cursor } = (await stopped.next()).payload.data.messageAdded;
    const seen = [1];
    stopped.pause();
    await room.send(kernelFull);
    await until('it is disconnected', async () => (await room.counts()).stalled === 1);
    // It still receives what the kernel has buffered, and the close frame.
    stopped.resume();
    assert.deepEqual(await stopped.closed, { code: 1013, reason: 'Try again later' });
    for (;;) {
      const frame = await stopped.next().catch(() => undefined);
      if (!frame) break;
      ({ cursor } = frame.payload.data.messageAdded);
      seen.push(frame.payload.data.messageAdded.number);
    }
    assert.ok(seen.length < kernelFull);
    using again = await RawSocket.signedIn(room.server.url, room.ada.token);
    again.subscribe('watch', watch, { roomId: room.roomId, after: cursor });
    assert.deepEqual([...seen, ...(await read(again, kernelFull + 1 - seen.length))], range(1, kernelFull + 1));
  });

  it('over server-sent events is cut off when it takes nothing, and resumes with nothing lost', async () => {
    await using room = await watched({ stalledMs: 500 });
    const seen: number[] = [];
    let lastEventId: string | undefined;
    {
      using stopped = await EventStream.open(room.ada, watch, { variables: { roomId: room.roomId, after: room.after } });
      await room.send(kernelFull);
      await until('it is disconnected', async () => (await room.counts()).stalled === 1);
      await assert.rejects(async () => {
        for (;;) {
          const { number, eventId } = await stopped.nextMessage();
          seen.push(number);
          lastEventId = eventId;
        }
      });
    }
    assert.ok(seen.length < kernelFull);
    using again = await EventStream.open(room.ada, watch, {
      variables: { roomId: room.roomId },
      headers: { 'last-event-id': lastEventId as string },
    });
    while (seen.length < kernelFull) seen.push((await again.nextMessage()).number);
    assert.deepEqual(seen, range(1, kernelFull));
  });

  it('leaves nothing behind if it never reads its close frame', async () => {
    await using room = await watched({ stalledMs: 500 });
    const lonely = await room.ada.createRoom();
    using stopped = await RawSocket.signedIn(room.server.url, room.ada.token);
    for (const [id, roomId] of Object.entries([room.roomId, lonely]))
      stopped.subscribe(id, watch, { roomId, after: id === '0' ? room.after : null });
    await until('both rooms are watched', () => room.server.app.liveRooms.size === 2);
    stopped.pause();
    await room.send(kernelFull);
    await until('its own room is left', () => room.server.app.liveRooms.size === 1);
    await until('nothing waits', async () => (await room.counts()).waitingBytes === 0);
    assert.deepEqual(await room.counts(), { waitingBytes: 0, backpressured: 1, stalled: 1 });
  });

  it('costs no more for as many subscriptions as a socket may have', async () => {
    await using room = await watched();
    using stopped = await RawSocket.signedIn(room.server.url, room.ada.token);
    const ids = range(1, maxOperations).map(String);
    for (const id of ids) stopped.subscribe(id, watching(1), { roomId: room.roomId, after: room.after });
    await room.send(1);
    const first = [];
    for (const _ of ids) first.push(await stopped.next());
    assert.deepEqual(new Set(first.map(({ id }) => id)), new Set(ids));
    stopped.pause();
    await room.send(20);
    const { waitingBytes } = await room.counts();
    assert.ok(waitingBytes >= 64 * 1024 && waitingBytes < 64 * 1024 + 2 * eventBytes, `${waitingBytes} bytes wait`);
    stopped.resume();
    const numbers = new Map<string, number[]>(ids.map((id) => [id, []]));
    for (let left = 20 * ids.length; left > 0; left -= 1) {
      const { id, payload } = await stopped.next();
      numbers.get(id as string)?.push(payload.data.messageAdded.number);
    }
    for (const id of ids) assert.deepEqual(numbers.get(id), range(2, 21));
  });

  it('receives nothing more once as many bytes wait at all clients as the node may hold', async () => {
    const maxNodeBytes = 1024 * 1024;
    await using room = await watched({ highWaterMarkBytes: 4 * maxNodeBytes, maxNodeBytes });
    const stopped = await Promise.all(range(1, 4).map(() => RawSocket.signedIn(room.server.url, room.ada.token)));
    for (const socket of stopped) socket.subscribe('watch', watch, { roomId: room.roomId, after: room.after });
    await room.send(1);
    for (const socket of stopped) assert.deepEqual(await read(socket, 1), [1]);
    for (const socket of stopped) socket.pause();
    await room.send(kernelFull);
    const { waitingBytes } = await room.counts();
    assert.ok(waitingBytes >= maxNodeBytes && waitingBytes < maxNodeBytes + stopped.length * 2 * eventBytes, `${waitingBytes} bytes wait`);
    for (const socket of stopped) socket.resume();
    for (const socket of stopped) assert.deepEqual(await read(socket, kernelFull), range(2, kernelFull + 1));
    for (const socket of stopped) socket.terminate();
  });

  const ping = { type: 'ping', payload: { text: 'x'.repeat(60_000) } };

  it('is not read from while 1 MiB of answers waits, and gets every answer once it reads', async () => {
    await using room = await watched();
    using asking = await RawSocket.signedIn(room.server.url, room.ada.token);
    asking.pause();
    for (let i = 0; i < 600; i += 1) asking.send(ping);
    await until('1 MiB waits', async () => (await room.counts()).waitingBytes > 1024 * 1024);
    await room.send(10);
    assert.ok((await room.counts()).waitingBytes < 1024 * 1024 + 128 * 1024);
    asking.resume();
    for (let i = 0; i < 600; i += 1) assert.equal((await asking.next()).type, 'pong');
  });

  it('is closed with 1013 if it goes on asking and takes no answers', async () => {
    await using room = await watched({ stalledMs: 500 });
    using asking = await RawSocket.signedIn(room.server.url, room.ada.token);
    asking.pause();
    for (let i = 0; i < 600; i += 1) asking.send(ping);
    await until('it is disconnected', async () => (await room.counts()).stalled === 1);
    asking.resume();
    assert.equal((await asking.closed).code, 1013);
  });

  it('is cut off if it takes no answers over HTTP', async () => {
    await using room = await watched({ stalledMs: 500 });
    const { port, pathname } = new URL(room.server.url);
    const client = connect(Number(port), '127.0.0.1').pause();
    const query = encodeURIComponent('{ __schema { types { name description fields { name description type { name } } } } }');
    const request = `GET ${pathname}?query=${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    client.on('error', () => {}).write(request.repeat(1000));
    await until('it is disconnected', async () => (await room.counts()).stalled === 1);
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.resume();
    await closed;
    assert.equal((await room.counts()).waitingBytes, 0);
  });
});

describe('large answers that nobody reads', { timeout: 120_000 }, () => {
  /** 40 pages of 16 KB, which the kernel does not buffer for a client that does not read. */
  const pages = 'query ($id: ID!) { room(id: $id) { messages(first: 100) { nodes { a: body b: body c: body d: body } } } }';
  const maxNodeBytes = 24 * 1024 * 1024;
  const messages = 100;

  async function withMessages() {
    const server = await startServer({ bounds: { maxNodeBytes } });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    for (let sent = 0; sent < messages; sent += 20) await Promise.all(range(1, 20).map(() => ada.send(roomId, body)));
    const counts = async () => {
      const ready = await fetch(new URL('/ready', server.url));
      return ((await ready.json()) as { counts: { sockets: Counts } }).counts.sockets;
    };
    return { server, ada, roomId, counts };
  }

  it('are refused beyond half of what may wait at the node, over idle sockets, and small ones are answered', async () => {
    const { server, ada, roomId, counts } = await withMessages();
    await using _ = server;
    const sockets = await Promise.all(range(1, 12).map(() => RawSocket.signedIn(server.url, ada.token)));
    for (const socket of sockets) {
      socket.pause();
      socket.subscribe('1', pages, { id: roomId });
    }
    using reader = await RawSocket.signedIn(server.url, ada.token);
    await until('an answer is refused', async () => {
      const { payload } = await reader.ask(crypto.randomUUID(), pages, { id: roomId });
      return payload.errors?.[0]?.extensions.code === 'UNAVAILABLE';
    });
    assert.ok((await counts()).waitingBytes <= maxNodeBytes / 2);
    assert.equal((await reader.ask('small', '{ viewer { user { name } } }')).payload.errors, undefined);
    for (const socket of sockets) socket.terminate();
  });

  it('are counted over HTTP', async () => {
    const { server, ada, roomId, counts } = await withMessages();
    await using _ = server;
    const text = JSON.stringify({ query: pages, variables: { id: roomId } });
    const stream = connect(Number(new URL(server.url).port), '127.0.0.1');
    stream.pause();
    const headers = `host: 127.0.0.1\r\ncontent-type: application/json\r\nauthorization: Bearer ${ada.token}`;
    stream.write(`POST /graphql HTTP/1.1\r\n${headers}\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    await until('the answer waits', async () => (await counts()).waitingBytes > 0);
    stream.destroy();
    await until('nothing waits', async () => (await counts()).waitingBytes === 0);
  });
});
