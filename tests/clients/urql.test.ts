import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, cacheExchange, createClient, fetchExchange, type OperationResult, subscriptionExchange } from '@urql/core';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { startServer } from '../support/server.ts';

function dataOf<Data>({ data, error }: OperationResult<Data>): Data {
  if (error || data === undefined) throw error ?? new Error('There is no data.');
  return data;
}

describe('the client @urql/core', () => {
  it('signs in, creates a room, watches it, sends, receives, and pages back', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    let token: string | undefined;
    const authorization = () => (token === undefined ? undefined : { authorization: `Bearer ${token}` });
    const sockets = createSocketClient({
      url: server.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: authorization,
    });
    const client: Client = createClient({
      url: server.url,
      preferGetMethod: false,
      fetchOptions: () => ({ headers: authorization() ?? {} }),
      exchanges: [
        cacheExchange,
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query: query ?? '', variables }, sink as never) }),
          }),
        }),
      ],
    });

    const { signIn } = dataOf(await client.mutation(gql.SignInDocument, { name: 'Ada' }));
    token = signIn?.token;
    const { createRoom } = dataOf(await client.mutation(gql.CreateRoomDocument, { input: { name: 'Hello' } }));
    const id = createRoom?.room.id as string;
    const view = (variables: Omit<gql.RoomViewQueryVariables, 'id'>) =>
      client.query(gql.RoomViewDocument, { id, ...variables }, { requestPolicy: 'network-only' });
    const start = dataOf(await view({}));
    const seen: (string | null)[] = [];
    const after = start.room?.messages.syncCursor as string;
    const { unsubscribe } = client.subscription(gql.MessageAddedDocument, { roomId: id, after }).subscribe((result) => {
      seen.push(dataOf(result).messageAdded.body);
    });
    for (const body of ['one', 'two', 'three']) dataOf(await client.mutation(gql.SendMessageDocument, { input: { roomId: id, body } }));
    await until('all messages have arrived', () => seen.length === 3);
    assert.deepEqual(seen, ['one', 'two', 'three']);

    const newest = dataOf(await view({ last: 1 })).room?.messages;
    const older = dataOf(await view({ last: 2, before: newest?.pageInfo.startCursor ?? null })).room?.messages;
    assert.deepEqual(
      older?.edges.map(({ node }) => node.body),
      ['one', 'two'],
    );
    assert.equal(older?.pageInfo.hasPreviousPage, false);

    const { error } = await client.query(gql.RoomViewDocument, { id, first: 0 });
    assert.equal(error?.graphQLErrors[0]?.extensions['code'], 'BAD_USER_INPUT');
    unsubscribe();
    await until('no room is watched', () => server.app.liveRooms.size === 0);
    await sockets.dispose();
  });
});
