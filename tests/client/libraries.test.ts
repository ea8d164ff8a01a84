// The kit in Apollo Client and urql: a view that is opened, scrolled up, disconnected and resumed misses nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { relayStylePagination } from '@apollo/client/utilities/index.js';
import { cacheExchange, createClient, fetchExchange } from '@urql/core';
import { Link } from '../../proof/rig/link.ts';
import { resumableLink } from '../../src/client/apollo.ts';
import { errorCode } from '../../src/client/error-code.ts';
import { resumable } from '../../src/client/resumable.ts';
import type { Subscriber } from '../../src/client/subscriber.ts';
import { resumableExchange } from '../../src/client/urql.ts';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { getRoom, range, rollBackTo } from '../support/storage.ts';
import { quick, ways } from '../support/ways.ts';

type Messages = NonNullable<gql.RoomViewQuery['room']>['messages'];

/** The operations of a page on its GraphQL library. */
interface Library {
  /** Loads a page into the cache. Resolves with the messages of the room that the cache then contains. */
  load(variables: gql.RoomViewQueryVariables): Promise<Messages>;
  watch(variables: gql.MessageAddedSubscriptionVariables, next: (number: number) => void, error: (error: unknown) => void): () => void;
  stop(): void;
}

const libraries: Record<string, (url: string, token: string, subscriber: Subscriber) => Library> = {
  'Apollo Client': (uri, token, subscriber) => {
    const client = new ApolloClient({
      cache: new InMemoryCache({ typePolicies: { Room: { fields: { messages: relayStylePagination() } } } }),
      link: ApolloLink.split(
        ({ operationType }) => operationType === 'subscription',
        resumableLink(resumable(subscriber, { backoff: quick })),
        new HttpLink({ uri, headers: { authorization: `Bearer ${token}` } }),
      ),
    });
    return {
      async load(variables) {
        await client.query({ query: gql.RoomViewDocument, variables, fetchPolicy: 'network-only' });
        return client.cache.readQuery({ query: gql.RoomViewDocument, variables })?.room?.messages as Messages;
      },
      watch(variables, next, error) {
        const watching = client.subscribe({ query: gql.MessageAddedDocument, variables }).subscribe({
          next: (result) => (result.error ? error(result.error) : next(result.data?.messageAdded.number as number)),
          error,
        });
        return () => watching.unsubscribe();
      },
      stop: () => client.stop(),
    };
  },
  urql: (url, token, subscriber) => {
    const client = createClient({
      url,
      preferGetMethod: false,
      fetchOptions: { headers: { authorization: `Bearer ${token}` } },
      exchanges: [cacheExchange, fetchExchange, resumableExchange(resumable(subscriber, { backoff: quick }))],
    });
    return {
      async load(variables) {
        const { data, error } = await client.query(gql.RoomViewDocument, variables, { requestPolicy: 'network-only' });
        if (error) throw error;
        return data?.room?.messages as Messages;
      },
      watch(variables, next, error) {
        const { unsubscribe } = client.subscription(gql.MessageAddedDocument, variables).subscribe((result) => {
          if (result.error) error(result.error);
          else next(result.data?.messageAdded.number as number);
        });
        return unsubscribe;
      },
      stop: () => {},
    };
  },
};

for (const [name, open] of Object.entries(libraries)) {
  for (const [way, subscriberOf] of Object.entries(ways)) {
    describe(`useSubscription of ${name} over ${way}`, () => {
      it('misses nothing when the view scrolls up, the connection breaks, and the server restarts', async () => {
        await using server = await startServer({ storage: 'PostgreSQL' });
        await using link = await Link.open({ port: Number(new URL(server.url).port) });
        const ada = await Guest.signIn(server.url);
        const id = await ada.createRoom();
        for (const _ of range(1, 10)) await ada.send(id, 'Early');
        const subscriber = subscriberOf(`http://127.0.0.1:${link.port}/graphql`, () => ada.token);
        const library = open(server.url, ada.token, subscriber);

        // The subscription starts at the syncCursor of the page that opens the view.
        const opening = await library.load({ id, last: 3 });
        const seen: number[] = [];
        const errors: unknown[] = [];
        const stop = library.watch(
          { roomId: id, after: opening.syncCursor },
          (number) => seen.push(number),
          (error) => errors.push(error),
        );
        await ada.send(id, 'Live');
        await until('it arrives', () => seen.length === 1);
        link.impair({ refusing: true });
        link.reset();
        for (const _ of range(1, 3)) await ada.send(id, 'Missed');
        // The syncCursor of this page is after the last delivered event.
        const older = await library.load({ id, last: 3, before: opening.pageInfo.startCursor ?? null });
        assert.notEqual(older.syncCursor, opening.syncCursor);
        link.heal();
        await until('the missed messages arrive', () => seen.length === 4);
        await server.restart();
        for (const _ of range(1, 3)) await ada.send(id, 'After the restart');
        await until('the messages after the restart arrive', () => seen.length === 7);
        assert.deepEqual([seen, errors], [range(11, 17), []]);
        stop();
        library.stop();
      });

      it('ends with CURSOR_EXPIRED if the log no longer contains its cursor', async () => {
        await using server = await startServer({ storage: 'PostgreSQL' });
        await using link = await Link.open({ port: Number(new URL(server.url).port) });
        const ada = await Guest.signIn(server.url);
        const id = await ada.createRoom();
        const { db } = server.app.storage;
        const { headSeq: seq, headTag: tag } = await getRoom(db, id);
        const library = open(
          server.url,
          ada.token,
          subscriberOf(`http://127.0.0.1:${link.port}/graphql`, () => ada.token),
        );
        const { syncCursor: after } = await library.load({ id });
        const seen: number[] = [];
        const errors: unknown[] = [];
        const stop = library.watch(
          { roomId: id, after },
          (number) => seen.push(number),
          (error) => errors.push(error),
        );
        await ada.send(id, 'To be rolled back');
        await until('it arrives', () => seen.length === 1);
        link.impair({ refusing: true });
        link.reset();
        await rollBackTo(db, id, { seq, tag });
        link.heal();
        await until('it has ended', () => errors.length > 0);
        assert.deepEqual(errors.map(errorCode), ['CURSOR_EXPIRED']);
        stop();
        library.stop();
      });

      it('ends with the code of a final error', async () => {
        await using server = await startServer({ storage: 'PostgreSQL' });
        const ada = await Guest.signIn(server.url);
        const secret = await (await Guest.signIn(server.url, 'Bob')).createRoom({ kind: 'PRIVATE' });
        const library = open(
          server.url,
          ada.token,
          subscriberOf(server.url, () => ada.token),
        );
        const errors: unknown[] = [];
        const stop = library.watch(
          { roomId: secret },
          () => {},
          (error) => errors.push(error),
        );
        await until('it is refused', () => errors.length > 0);
        assert.deepEqual(errors.map(errorCode), ['NOT_FOUND']);
        stop();
        library.stop();
      });
    });
  }
}
