// The database does not answer. Requests get UNAVAILABLE within five seconds, and subscriptions wait and continue.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { print } from 'graphql';
import { Link } from '../proof/rig/link.ts';
import * as gql from './gql/graphql.ts';
import { EventStream } from './support/event-stream.ts';
import { Lock } from './support/lock.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, type Server, startServer } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { range } from './support/storage.ts';

describe('while the database does not answer', () => {
  const cleanup = new AsyncDisposableStack();
  let databaseUrl: string;
  let link: Link;
  let server: Server;
  let ada: Guest;
  before(async () => {
    databaseUrl = cleanup.use(await createDatabase()).url;
    const url = new URL(databaseUrl);
    link = cleanup.use(await Link.open({ host: url.hostname, port: Number(url.port || 5432) }));
    url.hostname = '127.0.0.1';
    url.port = String(link.port);
    server = cleanup.use(await startServer({ env: { DATABASE_URL: url.href, IDENTITY: 'guest', DATABASE_POOL_SIZE: '4' } }));
    ada = await Guest.signIn(server.url);
  });
  after(() => cleanup.disposeAsync());

  const unavailable = { code: 'UNAVAILABLE', retryAfterMs: 1000 };
  /** The answer to an operation. Fails if it takes 5 seconds or more. */
  async function inTime<Answer>(asking: Promise<Answer>): Promise<Answer> {
    const startMs = performance.now();
    const answer = await asking;
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < 5000, `It took ${tookMs} ms.`);
    return answer;
  }
  const extensions = ({ errors }: { errors?: readonly { extensions?: unknown }[] }) => errors?.map((error) => error.extensions);
  const heal = async () => {
    link.heal();
    await until('the database answers again', async () => (await fetch(server.url.replace('graphql', 'ready/database'))).ok, 30_000);
  };

  it('every request is UNAVAILABLE within 5 s, over HTTP and WebSocket, and its retry is one message', async () => {
    const roomId = await ada.createRoom();
    const { message } = await ada.send(roomId, 'before');
    const socket = await RawSocket.signedIn(server.url, ada.token);
    const input = (key: string) => ({ roomId, body: 'hello', clientMessageId: key });
    link.impair({ droppingAll: true });
    // More sends than connections: some wait for a connection, and some for an answer.
    const sends = range(1, 10).map((i) => inTime(ada.ask(gql.SendMessageDocument, { input: input(`http ${i}`) })));
    const others = [
      inTime(ada.ask(gql.EditMessageDocument, { messageId: message.id, body: 'after' })),
      inTime(ada.ask(gql.CreateRoomDocument, { input: { name: 'Room' } })),
      inTime(ada.ask(gql.RoomViewDocument, { id: roomId })),
    ];
    const overSocket = inTime(socket.ask('1', print(gql.SendMessageDocument), { input: input('socket') }));
    for (const answer of await Promise.all([...sends, ...others])) assert.deepEqual(extensions(answer), [unavailable]);
    const { type, payload } = await overSocket;
    assert.deepEqual([type, extensions(payload)], ['next', [unavailable]]);
    await heal();
    for (const key of [...range(1, 10).map((i) => `http ${i}`), 'socket']) await ada.send(roomId, 'hello', key);
    const { room } = await ada.must(gql.MessagesDocument, { id: roomId, first: 100 });
    assert.deepEqual(
      room?.messages.edges.map(({ node }) => node.number),
      range(1, 12),
    );
    // The failure concerned one operation. The socket still works.
    assert.equal((await socket.ask('2', '{ viewer { id } }')).type, 'next');
    socket.close();
  });

  it('a new subscription waits for the database, over HTTP and WebSocket, and misses nothing', async () => {
    const roomId = await ada.createRoom();
    const socket = await RawSocket.signedIn(server.url, ada.token);
    link.impair({ droppingAll: true });
    socket.subscribe('1', print(gql.MessageAddedDocument), { roomId });
    const opening = EventStream.watch(ada, { roomId });
    // By now, both subscriptions have failed at least once.
    await inTime(ada.ask('{ viewer { user { name } } }'));
    await heal();
    const stream = await opening;
    assert.equal(stream.response.status, 200);
    assert.ok((await stream.next())?.id);
    await ada.send(roomId, 'after');
    assert.match((await stream.nextData())?.data ?? '', /"after"/);
    stream.close();
    socket.close();
  });

  it('a locked room is UNAVAILABLE within 5 s, and the other rooms are not delayed', async () => {
    const [held, free] = [await ada.createRoom(), await ada.createRoom()];
    await using lock = await Lock.take(databaseUrl, 'select 1 from rooms where id = $1 for update', [held]);
    const sends = range(1, 30).map((i) =>
      inTime(ada.ask(gql.SendMessageDocument, { input: { roomId: held, body: 'hello', clientMessageId: `held ${i}` } })),
    );
    await until('one of the sends waits for the row', async () => (await lock.waiting()) > 0);
    let isSettled = false;
    void Promise.allSettled(sends).then(() => (isSettled = true));
    for (const i of range(1, 20)) await ada.send(free, `message ${i}`);
    assert.equal(isSettled, false, 'sends to another room are answered while these wait');
    for (const answer of await Promise.all(sends)) assert.deepEqual(extensions(answer), [unavailable]);
    await lock.release();
    await ada.send(held, 'hello', 'held 1');
  });
});
