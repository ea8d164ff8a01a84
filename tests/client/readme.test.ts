// Runs the snippets of the README unchanged.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ApolloClient } from '@apollo/client/core/index.js';
import type { Client } from '@urql/core';
import { type Resumable, resumable } from '../../src/client/resumable.ts';
import type { ResumableSink } from '../../src/client/subscription.ts';
import type { ViewerList } from '../../src/client/viewer-list.ts';
import type { ViewerRoomLike } from '../../src/client/viewer-room.ts';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { Guest, type Server, startServer } from '../support/server.ts';

const root = join(import.meta.dirname, '../..');
const snippets = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/With \*\*(.+?)\*\*.*?:\n\n```js\n(.*?)```/gs)];

type WatchRooms = (
  query: (document: string) => Promise<unknown>,
  live: Resumable,
  show: (list: ViewerList<ViewerRoomLike & { name: string }>) => void,
) => Promise<() => void>;

describe('the README snippet', () => {
  let server: Server;
  let ada: Guest;
  let folder: string;
  before(async () => {
    server = await startServer({ storage: 'PostgreSQL' });
    ada = await Guest.signIn(server.url);
    // Inside the project, so that `gapless/client` resolves as in an application.
    folder = mkdtempSync(join(root, 'tests/readme-'));
    const page = { location: new URL(server.url), localStorage: { getItem: () => `Bearer ${ada.token}` } };
    for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await server[Symbol.asyncDispose]();
  });

  const load = async (library: string, maxLines = 12) => {
    const snippet = snippets.find(([, name]) => name === library)?.[2] as string;
    assert.ok(snippet.trim().split('\n').length <= maxLines, `the snippet has at most ${maxLines} lines`);
    const file = join(folder, `${library.replaceAll(/\W/g, '-')}.mjs`);
    writeFileSync(file, snippet);
    return import(pathToFileURL(file).href);
  };
  /** Sends a message before and after a restart of the server, and checks that both arrive once. */
  const assertSeen = async (roomId: string, seen: number[]) => {
    await ada.send(roomId, 'Hello');
    await until('it arrives', () => seen.length === 1);
    await server.restart();
    await ada.send(roomId, 'Hello again');
    await until('it arrives after the restart', () => seen.length === 2);
    assert.deepEqual(seen, [1, 2]);
  };
  const open = async () => {
    const roomId = await ada.createRoom();
    return { roomId, after: (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string };
  };

  it('for graphql-ws watches a room across a restart', async () => {
    const { watch } = (await load('graphql-ws')) as { watch: (roomId: string, after: string, sink: ResumableSink) => () => void };
    const { roomId, after: from } = await open();
    const seen: number[] = [];
    const stop = watch(roomId, from, {
      next: ({ data }) => {
        const { message } = (data?.['roomEvents'] ?? {}) as { message?: { number: number } };
        if (message) seen.push(message.number);
      },
      error: (error) => assert.fail(String(error)),
      complete: () => {},
    });
    await assertSeen(roomId, seen);
    stop();
  });

  it('for Apollo Client queries and watches a room across a restart', async () => {
    const { client } = (await load('Apollo Client')) as { client: ApolloClient };
    const { roomId } = await open();
    const { data } = await client.query({ query: gql.RoomViewDocument, variables: { id: roomId } });
    const variables = { roomId, after: data?.room?.messages.syncCursor as string };
    const seen: number[] = [];
    const watching = client
      .subscribe({ query: gql.MessageAddedDocument, variables })
      .subscribe((result) => seen.push(result.data?.messageAdded.number as number));
    await assertSeen(roomId, seen);
    watching.unsubscribe();
    client.stop();
  });

  it('for a list of rooms keeps the unread counts current across a restart', async () => {
    const { watchRooms } = (await load('a list of rooms', 24)) as { watchRooms: WatchRooms };
    const { roomId } = await open();
    const bob = await Guest.signIn(server.url, 'Bob');
    await bob.must(`mutation { joinRoom(input: { roomId: "${roomId}" }) { membership { id } } }`);
    let list: ViewerList<ViewerRoomLike & { name: string }> | undefined;
    const client = ada.connect();
    const stop = await watchRooms(
      (document) => ada.must(document),
      resumable(client),
      (now) => {
        list = now;
      },
    );
    const unread = () => list?.rooms.find(({ id }) => id === roomId)?.viewerMembership?.unreadCount;
    await bob.send(roomId, 'Hello');
    await until('it is counted', () => unread() === 1);
    await server.restart();
    await bob.send(roomId, 'Hello again');
    await until('it is counted after the restart', () => unread() === 2);
    assert.deepEqual(list?.unread, { rooms: 1, messages: 2 });
    stop();
    await client.dispose();
  });

  it('for urql queries and watches a room across a restart', async () => {
    const { client } = (await load('urql')) as { client: Client };
    const { roomId } = await open();
    const { data } = await client.query(gql.RoomViewDocument, { id: roomId });
    const variables = { roomId, after: data?.room?.messages.syncCursor as string };
    const seen: number[] = [];
    const { unsubscribe } = client
      .subscription(gql.MessageAddedDocument, variables)
      .subscribe((result) => seen.push(result.data?.messageAdded.number as number));
    await assertSeen(roomId, seen);
    unsubscribe();
  });
});
