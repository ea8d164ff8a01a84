// A complete session with any client library.

import assert from 'node:assert/strict';
import { print } from 'graphql';
import * as gql from '../gql/graphql.ts';

/** The common interface of graphql-ws and graphql-sse clients. */
export interface Client {
  iterate<Data = Record<string, unknown>>(payload: {
    query: string;
    variables?: Record<string, unknown>;
  }): AsyncIterableIterator<{ data?: Data | null | undefined }>;
}

type Document = Parameters<typeof print>[0];

export async function ask<Data>(client: Client, document: Document, variables: Record<string, unknown>): Promise<Data> {
  const { value } = await client.iterate<Data>({ query: print(document), variables }).next();
  return value.data as Data;
}

/** Creates a room, subscribes to it, sends messages and receives them, pages back, and ends the subscription. */
export async function tour(client: Client): Promise<void> {
  const { createRoom } = await ask<gql.CreateRoomMutation>(client, gql.CreateRoomDocument, { input: { name: 'Hello' } });
  const roomId = createRoom?.room.id as string;
  const { room } = await ask<gql.RoomViewQuery>(client, gql.RoomViewDocument, { id: roomId });
  const stream = client.iterate<gql.MessageAddedSubscription>({
    query: print(gql.MessageAddedDocument),
    variables: { roomId, after: room?.messages.syncCursor },
  });
  for (const body of ['one', 'two', 'three']) {
    await ask(client, gql.SendMessageDocument, { input: { roomId, body } });
    assert.equal((await stream.next()).value.data?.messageAdded.body, body);
  }
  const last = await ask<gql.RoomViewQuery>(client, gql.RoomViewDocument, { id: roomId, last: 1 });
  const before = last.room?.messages.pageInfo.startCursor;
  const page = await ask<gql.RoomViewQuery>(client, gql.RoomViewDocument, { id: roomId, last: 2, before });
  assert.deepEqual(
    page.room?.messages.edges.map(({ node }) => node.body),
    ['one', 'two'],
  );
  await stream.return?.();
}
