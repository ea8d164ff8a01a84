import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { print } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { Guest, startServer, storages } from '../support/server.ts';
import { ask, tour } from '../support/tour.ts';

for (const storage of storages) {
  describe(`the client graphql-ws, on ${storage}`, () => {
    it('signs in, creates a room, watches it, sends, receives, and pages back', async () => {
      await using server = await startServer({ storage });
      let token: string | undefined;
      const client = createClient({
        url: server.url.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        connectionParams: () => (token === undefined ? {} : { authorization: `Bearer ${token}` }),
      });
      token = (await ask<gql.SignInMutation>(client, gql.SignInDocument, { name: 'Ada' })).signIn?.token;
      // The token of a socket is sent only when it opens, so the client needs a new socket.
      client.terminate();
      await tour(client);
      await client.dispose();
    });

    it('resumes with its own retry after restarts of the server, with no gap and no repeat', async () => {
      await using server = await startServer({ storage });
      const ada = await Guest.signIn(server.url);
      const roomId = await ada.createRoom();
      let connected = 0;
      const client = createClient({
        url: server.url.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${ada.token}` },
        retryAttempts: 100,
        retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
        shouldRetry: () => true,
        on: { connected: () => (connected += 1) },
      });
      const seen: number[] = [];
      // The client sends this object again when it reconnects, so a new `after` in it moves the position of the subscription.
      const variables: { roomId: string; after?: string } = {
        roomId,
        after: (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string,
      };
      const ended: unknown[] = [];
      const end = (how: unknown) => ended.push(how ?? 'complete');
      client.subscribe<gql.MessageAddedSubscription>(
        { query: print(gql.MessageAddedDocument), variables },
        {
          next({ data }) {
            seen.push(data?.messageAdded.number as number);
            variables.after = data?.messageAdded.cursor as string;
          },
          error: end,
          complete: () => end(undefined),
        },
      );
      const rounds = 3;
      for (let round = 1; round <= rounds; round += 1) {
        for (let i = 0; i < 10; i += 1) await ada.send(roomId, 'Hello');
        if (round === 1) await until('the first messages have arrived', () => seen.length > 0);
        await server.restart();
        // Sent while the client may not have reconnected yet.
        for (let i = 0; i < 10; i += 1) await ada.send(roomId, 'Hello again');
      }
      await until('all messages have arrived', () => seen.length >= rounds * 20, 60_000);
      // After this one, a second copy of an earlier message would have arrived.
      await ada.send(roomId, 'The last');
      await until('the last has arrived', () => seen.includes(rounds * 20 + 1));
      assert.deepEqual(
        seen,
        Array.from({ length: rounds * 20 + 1 }, (_, i) => i + 1),
      );
      assert.ok(connected > 1);
      assert.deepEqual(ended, []);
      await client.dispose();
    });
  });
}

it('the client graphql-ws reconnects after close code 1012 with its defaults', async () => {
  await using server = await startServer({ storage: 'PostgreSQL' });
  const ada = await Guest.signIn(server.url);
  const roomId = await ada.createRoom();
  const client = ada.connect({ retryAttempts: 5 });
  const stream = client.iterate<gql.RoomEventsSubscription>({ query: print(gql.RoomEventsDocument), variables: { roomId } });
  assert.equal((await stream.next()).value.data.roomEvents.__typename, 'CaughtUp');
  await server.restart();
  assert.equal((await stream.next()).value.data.roomEvents.__typename, 'CaughtUp');
  await client.dispose();
});
