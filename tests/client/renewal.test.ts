// A token that is renewed while another attempt opens its socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { it } from 'node:test';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { resumable } from '../../src/client/resumable.ts';
import { listenOn, until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { messageAdded, quick, Watcher } from '../support/ways.ts';

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
