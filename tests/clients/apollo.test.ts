import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js';
import { getMainDefinition } from '@apollo/client/utilities/index.js';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { startServer } from '../support/server.ts';

describe('the client @apollo/client', () => {
  it('signs in, creates a room, watches it, sends, receives, and pages back', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    let token: string | undefined;
    const authorization = (): Record<string, string> => (token === undefined ? {} : { authorization: `Bearer ${token}` });
    const sockets = createClient({ url: server.url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: authorization });
    const signed = new ApolloLink((operation, forward) => {
      operation.setContext({ headers: authorization() });
      return forward(operation);
    });
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.split(
        ({ query }) => {
          const definition = getMainDefinition(query);
          return definition.kind === 'OperationDefinition' && definition.operation === 'subscription';
        },
        new GraphQLWsLink(sockets),
        signed.concat(new HttpLink({ uri: server.url })),
      ),
    });

    const { data: signedIn } = await client.mutate({ mutation: gql.SignInDocument, variables: { name: 'Ada' } });
    token = signedIn?.signIn?.token;
    const { data: created } = await client.mutate({ mutation: gql.CreateRoomDocument, variables: { input: { name: 'Hello' } } });
    const id = created?.createRoom?.room.id as string;
    const view = async (variables: Omit<gql.RoomViewQueryVariables, 'id'>) =>
      (await client.query({ query: gql.RoomViewDocument, variables: { id, ...variables }, fetchPolicy: 'network-only' })).data?.room
        ?.messages;
    const after = (await view({}))?.syncCursor as string;
    const seen: (string | null | undefined)[] = [];
    const watching = client
      .subscribe({ query: gql.MessageAddedDocument, variables: { roomId: id, after } })
      .subscribe(({ data }) => seen.push(data?.messageAdded.body));
    for (const body of ['one', 'two', 'three']) {
      await client.mutate({ mutation: gql.SendMessageDocument, variables: { input: { roomId: id, body } } });
    }
    await until('all messages have arrived', () => seen.length === 3);
    assert.deepEqual(seen, ['one', 'two', 'three']);

    const newest = await view({ last: 1 });
    const older = await view({ last: 2, before: newest?.pageInfo.startCursor ?? null });
    assert.deepEqual(
      older?.edges.map(({ node }) => node.body),
      ['one', 'two'],
    );
    assert.equal(older?.pageInfo.hasPreviousPage, false);

    await assert.rejects(view({ first: 0 }), (error) => {
      assert.ok(CombinedGraphQLErrors.is(error));
      assert.equal(error.errors[0]?.extensions?.['code'], 'BAD_USER_INPUT');
      return true;
    });
    watching.unsubscribe();
    await until('no room is watched', () => server.app.liveRooms.size === 0);
    client.stop();
    await sockets.dispose();
  });
});
