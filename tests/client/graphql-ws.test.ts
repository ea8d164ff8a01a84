// The kit over graphql-ws and a server that follows a script: several subscriptions share one socket, and what happens to
// one of them leaves the others alone.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createClient } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { resumable } from '../../src/client/resumable.ts';
import { until } from '../support/process.ts';
import { roomEvents, Watcher } from '../support/ways.ts';

interface Subscribe {
  readonly id: string;
  readonly variables: { readonly roomId: string; readonly after?: string };
}

interface Connection {
  /** Sends these messages in one chunk. */
  send(...messages: object[]): void;
  close(code: number): void;
}

const next = (id: string, roomEventsValue: unknown) => ({ type: 'next', id, payload: { data: { roomEvents: roomEventsValue } } });
const caughtUp = (id: string) => next(id, { __typename: 'CaughtUp', cursor: 'head' });
const complete = (id: string) => ({ type: 'complete', id });

async function serve(onSubscribe: (subscribe: Subscribe, connection: Connection) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'graphql-transport-ws' });
  await once(server, 'listening');
  server.on('connection', (socket, request) => {
    const tcp: Socket = request.socket;
    const connection: Connection = {
      send(...messages) {
        tcp.cork();
        for (const message of messages) socket.send(JSON.stringify(message));
        tcp.uncork();
      },
      close: (code) => socket.close(code),
    };
    socket.on('message', (data) => {
      const { type, id, payload } = JSON.parse(String(data));
      if (type === 'connection_init') connection.send({ type: 'connection_ack' });
      if (type === 'subscribe') onSubscribe({ id, variables: payload.variables }, connection);
    });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    get connections() {
      return server.clients.size;
    },
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

const connect = (url: string) => createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
const backoff = { firstMs: 1, maxMs: 1 };

/** What the server sends to the subscription of the room that ends, in one chunk. */
const endings: Record<string, (id: string) => object[]> = {
  'is ended by its last event': (id) => [next(id, { __typename: 'RoomDeleted', cursor: 'last' }), complete(id)],
  'receives an event without a cursor': (id) => [next(id, { __typename: 'RoomDeleted' }), complete(id)],
  'is refused': (id) => [
    { type: 'next', id, payload: { data: null, errors: [{ message: 'No.', extensions: { code: 'FORBIDDEN' } }] } },
    complete(id),
  ],
};

describe('a subscription over graphql-ws', () => {
  for (const [what, messages] of Object.entries(endings)) {
    it(`goes on if another one on its socket ${what}`, async () => {
      const watched: { send?: () => void } = {};
      await using server = await serve(({ id, variables }, connection) => {
        if (variables.roomId === 'ending') return connection.send(...messages(id));
        connection.send(caughtUp(id));
        watched.send = () => connection.send(next(id, { __typename: 'MessageAdded', cursor: 'one', message: { number: 1 } }));
      });
      const client = connect(server.url);
      using watcher = new Watcher(client, { query: roomEvents, variables: { roomId: 'watched' } }, { backoff });
      await until('it is live', () => watcher.live);
      let over = false;
      const finish = () => {
        over = true;
        end();
      };
      const end = resumable(client).subscribe(
        { query: roomEvents, variables: { roomId: 'ending' } },
        { next: finish, error: finish, complete: finish },
      );
      await until('the other is over', () => over);
      watched.send?.();
      await until('its message arrives', () => watcher.numbers.length === 1);
      assert.deepEqual([watcher.statuses, watcher.ends], [['connecting', 'live'], []]);
      await client.dispose();
    });
  }

  it('resumes if an event fails and the server completes it', async () => {
    const afters: unknown[] = [];
    const added = (id: string, number: number) => next(id, { __typename: 'MessageAdded', cursor: String(number), message: { number } });
    await using server = await serve(({ id, variables: { after } }, connection) => {
      afters.push(after);
      if (afters.length === 1) return connection.send(added(id, 1), next(id, null), complete(id));
      if (afters.length === 2) return connection.send(next(id, null), added(id, 3), complete(id));
      connection.send(added(id, 2), added(id, 3), caughtUp(id));
    });
    using watcher = new Watcher(connect(server.url), { query: roomEvents, variables: { roomId: 'room' } }, { backoff });
    await until('it is live', () => watcher.live);
    assert.deepEqual([watcher.numbers, afters, watcher.ends], [[1, 2, 3], [undefined, '1', '1'], []]);
    assert.equal(server.connections, 1);
  });

  it('resumes after a close with any code, and leaves no socket open when it is ended', async () => {
    const codes = [1001, 1002, 1003, 1008, 1011, 1012, 1013, 4400, 4408, 4429, 4499, 4500, 4999];
    let connections = 0;
    await using server = await serve(({ id }, connection) => {
      connection.send(caughtUp(id));
      const code = codes[connections++];
      if (code !== undefined) connection.close(code);
    });
    const watcher = new Watcher(connect(server.url), { query: roomEvents, variables: { roomId: 'room' } }, { backoff });
    await until('every code was tried', () => connections > codes.length && watcher.live);
    assert.deepEqual(watcher.ends, []);
    watcher[Symbol.dispose]();
    await until('the socket is closed', () => server.connections === 0);
  });
});
