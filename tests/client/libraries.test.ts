// The kit inside of Apollo Client and urql: a view that is opened, scrolled up, cut off and resumed misses nothing.

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

/** What a page does with its library. */
interface Library {
  /** Reads a page into the cache. Resolves with what the cache then has of the room. */
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
      it('misses nothing: scrolled up, cut off, and through a restart', async () => {
        await using server = await startServer({ storage: 'PostgreSQL' });
        await using link = await Link.open({ port: Number(new URL(server.url).port) });
        const ada = await Guest.signIn(server.url);
        const id = await ada.createRoom();
        for (const _ of range(1, 10)) await ada.send(id, 'Early');
        const subscriber = subscriberOf(`http://127.0.0.1:${link.port}/graphql`, () => ada.token);
        const library = open(server.url, ada.token, subscriber);

        // The page that opens the view: what it says is where the subscription starts.
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
        // Scrolling up brings a page that is ahead of what was handed over.
        const older = await library.load({ id, last: 3, before: opening.pageInfo.startCursor ?? null });
        assert.notEqual(older.syncCursor, opening.syncCursor);
        link.heal();
        await until('what was missed arrives', () => seen.length === 4);
        await server.restart();
        for (const _ of range(1, 3)) await ada.send(id, 'After the restart');
        await until('what came after it arrives', () => seen.length === 7);
        assert.deepEqual([seen, errors], [range(11, 17), []]);
        stop();
        library.stop();
      });

      it('is told that it must reload where what lies between is not kept', async () => {
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
        await ada.send(id, 'To be undone');
        await until('it arrives', () => seen.length === 1);
        link.impair({ refusing: true });
        link.reset();
        await rollBackTo(db, id, { seq, tag });
        link.heal();
        await until('it is told', () => errors.length > 0);
        assert.deepEqual(errors.map(errorCode), ['CURSOR_EXPIRED']);
        stop();
        library.stop();
      });

      it('is told the code of what does not pass', async () => {
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
