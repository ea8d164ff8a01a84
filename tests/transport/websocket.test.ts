// graphql-transport-ws, frame by frame (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { maxOperations } from '../../src/transport/limits.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { type FrameError, RawSocket } from '../support/socket.ts';

const watch = 'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { number body } }';
const me = '{ viewer { user { id } } }';

describe('the WebSocket endpoint', () => {
  let server: Server;
  let place: Awaited<ReturnType<typeof createPlace>>;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    place = await createPlace('PostgreSQL');
    server = await startServer({ env: place.env });
    ada = await Guest.signIn(server.url);
    roomId = await ada.createRoom();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  const count = async () =>
    (
      await ada.must<{ room: { lastMessage: { number: number } } }, object>(
        'query ($roomId: ID!) { room(id: $roomId) { lastMessage { number } } }',
        { roomId },
      )
    ).room.lastMessage?.number ?? 0;

  /** A socket that watches the room, and a check that it still receives its messages. */
  async function watching() {
    const socket = await RawSocket.signedIn(server.url, ada.token);
    const { syncCursor } = (
      await ada.must<{ room: { messages: { syncCursor: string } } }, object>(
        'query ($roomId: ID!) { room(id: $roomId) { messages(last: 1) { syncCursor } } }',
        { roomId },
      )
    ).room.messages;
    socket.subscribe('watch', watch, { roomId, after: syncCursor });
    const receives = async () => {
      const { message } = await ada.send(roomId, 'Hello');
      const frame = await socket.next();
      assert.deepEqual([frame.id, frame.payload.data.messageAdded], ['watch', { number: message.number, body: 'Hello' }]);
    };
    return { socket, receives, [Symbol.dispose]: () => socket.terminate() };
  }

  it('answers an operation that may be large', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const pages = Array.from({ length: 15 }, (_, index) => `a${index}: messages(first: 100) { nodes { body } }`).join(' ');
    const { payload } = await socket.ask('1', `query ($id: ID!) { room(id: $id) { ${pages} } }`, { id: roomId });
    assert.deepEqual([payload.errors, Object.keys(payload.data.room).length], [undefined, 15]);
  });

  it('runs queries, mutations and subscriptions on one socket', async () => {
    using watcher = await watching();
    await watcher.receives();
    const { socket } = watcher;
    socket.subscribe('send', 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { body } } }', {
      input: { roomId, body: 'From the socket' },
    });
    const frames = [await socket.next(), await socket.next(), await socket.next()];
    assert.deepEqual(
      frames.find(({ id, type }) => id === 'send' && type === 'next')?.payload.data.sendMessage.message.body,
      'From the socket',
    );
    assert.equal(frames.find(({ id }) => id === 'watch')?.payload.data.messageAdded.body, 'From the socket');
    assert.ok(frames.some(({ id, type }) => id === 'send' && type === 'complete'));
    await watcher.receives();
  });

  const faulty: [string, object][] = [
    ['does not parse', { query: '{' }],
    ['is empty', { query: '' }],
    ['asks for a field that is not there', { query: '{ nothing }' }],
    ['lacks a variable', { query: watch }],
    ['has a variable of the wrong type', { query: watch, variables: { roomId: ['x', 'y'] } }],
    ['names an operation that is not there', { query: 'query A { viewer { user { id } } }', operationName: 'B' }],
    ['has two operations and names none', { query: 'query A { viewer { user { id } } } query B { viewer { user { id } } }' }],
    ['has no operation', { query: 'fragment F on Query { viewer { user { id } } }' }],
    ['is nested deeper than the parser goes', { query: '{a'.repeat(30_000) }],
    ['has more than 2,000 tokens', { query: `{ ${'viewer { id } '.repeat(4000)} }` }],
  ];
  for (const [what, payload] of faulty) {
    it(`answers with an error for one operation only if it ${what}`, async () => {
      using watcher = await watching();
      watcher.socket.send({ id: 'bad', type: 'subscribe', payload });
      const frame = await watcher.socket.next();
      const errors: FrameError[] = frame.type === 'error' ? frame.payload : frame.payload.errors;
      assert.deepEqual([frame.id, errors[0]?.extensions.code], ['bad', 'BAD_USER_INPUT']);
      if (frame.type === 'next') assert.equal((await watcher.socket.next()).type, 'complete');
      await watcher.receives();
      // The id is free again.
      assert.equal((await watcher.socket.ask('bad', me)).type, 'next');
    });
  }

  const refused: [string, Record<string, unknown>, string][] = [
    ['an unknown room', { roomId: 'room_00000000000000000000000000' }, 'NOT_FOUND'],
    ['an id of another type', { roomId: 'message_01h455vb4pex5vsknk084sn02q' }, 'BAD_USER_INPUT'],
    ['a junk cursor', { after: 'junk' }, 'CURSOR_INVALID'],
  ];
  for (const [what, variables, code] of refused) {
    it(`answers a subscription to ${what} with ${code}, for that one only`, async () => {
      using watcher = await watching();
      watcher.socket.subscribe('bad', watch, { roomId, ...variables });
      const frame = await watcher.socket.next();
      const errors: FrameError[] = frame.type === 'error' ? frame.payload : frame.payload.errors;
      assert.deepEqual([frame.id, errors[0]?.extensions.code], ['bad', code]);
      if (frame.type === 'next') assert.equal((await watcher.socket.next()).type, 'complete');
      await watcher.receives();
    });
  }

  it('runs an operation of 60,000 bytes, and closes with 1009 only the socket that sends more than 64 KiB', async () => {
    using watcher = await watching();
    using other = await RawSocket.signedIn(server.url, ada.token);
    assert.equal((await other.ask('1', me.padEnd(60_000))).type, 'next');
    const before = await count();
    other.subscribe('2', 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }', {
      input: { roomId, body: 'x'.padEnd(64 * 1024) },
    });
    assert.equal((await other.closed).code, 1009);
    assert.equal(await count(), before);
    await watcher.receives();
  });

  const breaches: [string, number, (socket: RawSocket) => void][] = [
    ['text that is not JSON', 4400, (socket) => socket.send('junk')],
    ['an empty message', 4400, (socket) => socket.send('')],
    ['JSON that is no message', 4400, (socket) => socket.send('[]')],
    ['a message of an unknown type', 4400, (socket) => socket.send({ type: 'start' })],
    ['a message that only a server sends: next', 4400, (socket) => socket.send({ id: 'watch', type: 'next', payload: { data: null } })],
    [
      'a message that only a server sends: error',
      4400,
      (socket) => socket.send({ id: 'watch', type: 'error', payload: [{ message: 'x' }] }),
    ],
    ['a message that only a server sends: connection_ack', 4400, (socket) => socket.send({ type: 'connection_ack' })],
    ['a complete without an id', 4400, (socket) => socket.send({ type: 'complete' })],
    ['a type that objects inherit', 4400, (socket) => socket.send({ type: 'toString' })],
    ['a ping whose payload is no object', 4400, (socket) => socket.send({ type: 'ping', payload: 'x' })],
    ['a subscribe without an id', 4400, (socket) => socket.send({ type: 'subscribe', payload: { query: me } })],
    ['a query that is no string', 4400, (socket) => socket.send({ id: '1', type: 'subscribe', payload: { query: 42 } })],
    ['variables that are no object', 4400, (socket) => socket.send({ id: '1', type: 'subscribe', payload: { query: me, variables: 'x' } })],
    ['an id of 129 characters', 4400, (socket) => socket.subscribe('x'.repeat(129), me)],
    ['a complete of an id of 60,000 characters', 4400, (socket) => socket.send({ id: 'x'.repeat(60_000), type: 'complete' })],
    ['binary junk', 4400, (socket) => socket.send(Buffer.from([0, 255, 254, 1]))],
    ['a second connection_init', 4429, (socket) => socket.send({ type: 'connection_init' })],
    ['an id that is in use', 4409, (socket) => socket.subscribe('watch', watch, { roomId })],
  ];
  for (const [what, code, breach] of breaches) {
    it(`closes with ${code} only the socket that sends ${what}`, async () => {
      using watcher = await watching();
      using other = await watching();
      breach(other.socket);
      assert.equal((await other.socket.closed).code, code);
      await watcher.receives();
    });
  }

  it('closes with 4401 a socket that subscribes before connection_init', async () => {
    using socket = await RawSocket.open(server.url);
    socket.subscribe('1', me);
    assert.equal((await socket.closed).code, 4401);
  });

  it('closes with 4408 a socket that never sends connection_init', async () => {
    using socket = await RawSocket.open(server.url);
    assert.equal((await socket.closed).code, 4408);
  });

  for (const protocols of [[], ['graphql-ws'], ['other']]) {
    it(`refuses ${protocols[0] ? `the protocol ${protocols[0]}` : 'a client that names no protocol'}`, async () => {
      const opening = RawSocket.open(server.url, { protocols });
      // A client that offers protocols refuses by itself an answer that takes none of them.
      if (protocols.length > 0) return assert.rejects(opening, /subprotocol/i);
      using socket = await opening;
      assert.equal((await socket.closed).code, 4406);
    });
  }

  it('answers ping with pong', async () => {
    using socket = await RawSocket.signedIn(server.url);
    socket.send({ type: 'ping', payload: { n: 1 } });
    assert.deepEqual(await socket.next(), { type: 'pong', payload: { n: 1 } });
  });

  it('is at no other path', async () => {
    await assert.rejects(RawSocket.open(server.url.replace('/graphql', '/')), /404/);
    await assert.rejects(RawSocket.open(`${server.url}/more`), /404/);
  });

  it('ends a subscription at once when its client completes it, and then sends nothing more of it', async () => {
    using watcher = await watching();
    await watcher.receives();
    watcher.socket.send({ id: 'watch', type: 'complete' });
    await until('nobody watches', () => server.app.liveRooms.size === 0);
    await ada.send(roomId, 'Nobody receives this');
    assert.equal((await watcher.socket.ask('1', me)).id, '1');
  });

  for (const [how, leave] of [
    ['closes', (socket: RawSocket) => socket.close()],
    ['is cut off', (socket: RawSocket) => socket.terminate()],
  ] as const) {
    it(`leaves nothing behind when a socket ${how}`, async () => {
      const watcher = await watching();
      await watcher.receives();
      leave(watcher.socket);
      await until('nobody watches', () => server.app.liveRooms.size === 0);
    });

    it(`leaves nothing behind when a socket ${how} while its room is looked up`, async () => {
      const socket = await RawSocket.signedIn(server.url, ada.token);
      await using lock = await Lock.take(place.env['DATABASE_URL'] as string, 'lock table rooms in access exclusive mode');
      socket.subscribe('1', watch, { roomId });
      await until('the subscription waits', async () => (await lock.waiting()) === 1);
      leave(socket);
      await socket.closed;
      await lock.release();
      await until('the lookup is over', async () => (await lock.waiting()) === 0);
      // The room is unwatched once the lookup has ended.
      await ada.send(roomId, 'Anyone?');
      await until('nobody watches', () => server.app.liveRooms.size === 0);
    });
  }

  it('refuses one operation too many on a socket, and goes on with the others', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const events = 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename } }';
    for (let i = 0; i < maxOperations; i += 1) socket.subscribe(`watch ${i}`, events, { roomId });
    for (let i = 0; i < maxOperations; i += 1) assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    const refused = await socket.ask('one too many', me);
    assert.deepEqual(
      [refused.type, refused.id, (refused.payload as FrameError[])[0]?.extensions.code],
      ['error', 'one too many', 'RATE_LIMITED'],
    );
    socket.send({ type: 'complete', id: 'watch 0' });
    assert.equal((await socket.ask('after one has ended', me)).payload.data.viewer.user.id, ada.userId);
  });

  it('takes ids that objects inherit for ids like any other', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    for (const id of ['__proto__', 'constructor', 'toString']) {
      assert.equal((await socket.ask(id, me)).payload.data.viewer.user.id, ada.userId);
      socket.send({ id, type: 'complete' });
    }
    assert.equal((await socket.ask('1', me)).payload.data.viewer.user.id, ada.userId);
  });

  it('closes with 1013, which clients retry, where the server itself fails', async () => {
    await using other = await startServer({ storage: 'PostgreSQL' });
    const bea = await Guest.signIn(other.url, 'Bea');
    using socket = await RawSocket.open(other.url);
    await sql`drop table users cascade`.execute(other.app.storage.db);
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${bea.token}` } });
    assert.deepEqual(await socket.closed, { code: 1013, reason: 'Try again later' });
  });

  it('cuts a connection that asks for an upgrade during an event stream, and serves the others', async () => {
    const { port } = new URL(server.url);
    const client = connect(Number(port), '127.0.0.1').setEncoding('latin1');
    const head = `Host: localhost\r\nAuthorization: Bearer ${ada.token}\r\n`;
    const query = encodeURIComponent(`subscription { messageAdded(roomId: "${roomId}") { number } }`);
    client.write(`GET /graphql?query=${query} HTTP/1.1\r\n${head}Accept: text/event-stream\r\n\r\n`);
    let text = '';
    client.on('data', (chunk) => (text += chunk));
    await until('the stream is open', () => text.includes('id: '));
    client.write(
      `GET /graphql HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
    );
    await once(client, 'close');
    assert.ok(!text.includes('101 Switching'), text);
    await until('nobody watches', () => server.app.liveRooms.size === 0);
    assert.equal(await ada.refusal(me), undefined);
  });

  it('does not wait at a stop for a refused upgrade that stays half-open', async () => {
    await using other = await startServer({ storage: 'PostgreSQL' });
    const { port } = new URL(other.url);
    const client = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    client.write('GET /elsewhere HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    client.on('error', () => {}).resume();
    await once(client, 'end');
    const from = performance.now();
    await other.app.close({ now: true });
    assert.ok(performance.now() - from < 5000);
    client.destroy();
  });

  it('answers BAD_USER_INPUT to an operation that quotes an error message of the database', async () => {
    assert.equal(await ada.refusal('{ rooms(first: "timeout expired") { nodes { id } } }'), 'BAD_USER_INPUT');
  });

  it('answers UNAUTHENTICATED to a mutation without a token', async () => {
    using socket = await RawSocket.signedIn(server.url);
    const frame = await socket.ask('1', 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }', {
      input: { roomId, body: 'x' },
    });
    assert.equal(frame.payload.errors[0].extensions.code, 'UNAUTHENTICATED');
  });
});
