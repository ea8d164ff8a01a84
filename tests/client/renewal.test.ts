// Tokens that are renewed: by a new connection, or on the open one, which no subscription notices.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { errorCode } from '../../src/client/error-code.ts';
import { resumable } from '../../src/client/resumable.ts';
import { listenOn, until } from '../support/process.ts';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { range } from '../support/storage.ts';
import { messageAdded, quick, roomEvents, Watcher, ways } from '../support/ways.ts';

it('a renewal does not cut a socket that is still connecting, which would end a process of Node', async () => {
  await using server = await startServer();
  const ada = await Guest.signIn(server.url);
  const [roomId, otherId] = [await ada.createRoom(), await ada.createRoom()];
  // Accepts connections, and never answers their handshake.
  const silent = createServer();
  const silentUrl = `ws://127.0.0.1:${await listenOn(silent)}`;
  const serverUrl = server.url.replace('http', 'ws');
  let [url, token] = [serverUrl, 'not a token'];
  const client = createClient({
    url: () => url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: () => ({ authorization: `Bearer ${token}` }),
  });
  const renewal = Promise.withResolvers<void>();
  let renewals = 0;
  const renewToken = () => {
    renewals += 1;
    return renewal.promise;
  };
  const subscriber = resumable(client, { backoff: quick, renewToken });
  using watcher = new Watcher(subscriber, { query: messageAdded, variables: { roomId } });
  await until('the token is being renewed', () => renewals > 0);
  [url, token] = [silentUrl, ada.token];
  using other = new Watcher(subscriber, { query: messageAdded, variables: { roomId: otherId } });
  const [connecting] = (await once(silent, 'connection')) as [Socket];
  url = serverUrl;
  // What an uncaught error of ws would do is end this process.
  renewal.resolve();
  await new Promise(setImmediate);
  connecting.destroy();
  silent.close();
  await until('both are live', async () => {
    await Promise.all([ada.send(roomId, 'hello'), ada.send(otherId, 'hello')]);
    return watcher.numbers.length > 0 && other.numbers.length > 0;
  });
  assert.deepEqual([watcher.ends, other.ends], [[], []]);
});

describe('a token that expires soon', () => {
  const secret = 'a secret of at least thirty-two bytes';
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  let ada: Guest;
  before(async () => {
    const place = cleanup.use(await createPlace('PostgreSQL'));
    server = cleanup.use(await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } }));
    ada = new Guest(server.url, await tokenFor(3600), '');
  });
  after(() => cleanup.disposeAsync());
  const tokenFor = (seconds: number) =>
    new SignJWT({ sub: 'ada', jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + seconds })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret));

  /** A client whose token is valid for 3 s, and that counts its connections. */
  async function openClient() {
    let token = await tokenFor(3);
    const counts = { connections: 0 };
    const client = createClient({
      url: server.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: () => ({ authorization: `Bearer ${token}` }),
      on: { opened: () => (counts.connections += 1) },
    });
    return { client, counts, setToken: (next: string) => (token = next) };
  }

  it('is renewed again and again on one connection under load, and no subscription notices', async () => {
    const { client, counts } = await openClient();
    const roomId = await ada.createRoom();
    let renewals = 0;
    const renewToken = async () => {
      renewals += 1;
      return tokenFor(3);
    };
    using watcher = new Watcher(resumable(client, { backoff: quick, renewToken }), { query: roomEvents, variables: { roomId } });
    let last = 0;
    while (renewals < 6) last = (await ada.send(roomId, 'hello')).message.number;
    await until('all have arrived', () => watcher.numbers.at(-1) === last);
    assert.deepEqual(watcher.numbers, range(watcher.numbers[0] as number, last));
    assert.deepEqual([counts.connections, watcher.statuses, watcher.ends], [1, ['connecting', 'live'], []]);
    await client.dispose();
  });

  it('is renewed while it holds although the application fails at first', async () => {
    const { client, counts } = await openClient();
    const roomId = await ada.createRoom();
    let calls = 0;
    const renewToken = async () => {
      calls += 1;
      if (calls < 4) throw new Error('The application is away.');
      return tokenFor(3600);
    };
    using watcher = new Watcher(resumable(client, { backoff: quick, renewToken }), { query: messageAdded, variables: { roomId } });
    await until('it was renewed', () => calls === 4);
    // The old token would have ended the connection by then.
    await sleep(9000);
    await ada.send(roomId, 'hello');
    await until('it arrives', () => watcher.numbers.length === 1);
    assert.deepEqual([calls, counts.connections, watcher.ends], [4, 1, []]);
    await client.dispose();
  });

  it('is renewed once, by a new connection, if the application does not return it', async () => {
    const { client, counts, setToken } = await openClient();
    const roomId = await ada.createRoom();
    let calls = 0;
    const renewToken = async () => {
      calls += 1;
      setToken(await tokenFor(3600));
    };
    using watcher = new Watcher(resumable(client, { backoff: quick, renewToken }), { query: messageAdded, variables: { roomId } });
    await until('it has a new connection', () => counts.connections === 2);
    await until('it is live', async () => {
      await ada.send(roomId, 'hello');
      return watcher.numbers.length > 0;
    });
    assert.deepEqual([calls, watcher.ends], [1, []]);
    await client.dispose();
  });

  for (const [way, subscriberOf] of Object.entries(ways)) {
    it(`says that its session was signed out, over ${way}`, async () => {
      const bob = new Guest(server.url, await tokenFor(3600), '');
      const roomId = await ada.createRoom();
      using watcher = new Watcher(
        subscriberOf(server.url, () => bob.token),
        { query: roomEvents, variables: { roomId } },
      );
      await until('it is live', () => watcher.live);
      await bob.must('mutation { signOut { signedOut } }');
      await until('it has ended', () => watcher.ends.length > 0);
      assert.deepEqual([watcher.statuses.at(-1), errorCode(watcher.ends[0])], ['signedOut', 'UNAUTHENTICATED']);
      using late = new Watcher(
        subscriberOf(server.url, () => bob.token),
        { query: roomEvents, variables: { roomId } },
      );
      await until('it has ended at once', () => late.ends.length > 0);
      assert.equal(late.statuses.at(-1), 'signedOut');
      using refused = new Watcher(
        subscriberOf(server.url, () => 'junk'),
        { query: roomEvents, variables: { roomId } },
      );
      await until('it was refused', () => refused.ends.length > 0);
      assert.equal(refused.statuses.at(-1), 'refused');
    });
  }
});
