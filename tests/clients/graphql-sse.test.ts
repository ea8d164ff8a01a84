import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { print } from 'graphql';
import { createClient } from 'graphql-sse';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { Guest, startServer } from '../support/server.ts';
import { ask, tour } from '../support/tour.ts';

describe('the client graphql-sse, in distinct connections mode', () => {
  const connect = (guest: { url: string; token: string | undefined }, retryAttempts = 0) =>
    createClient({
      url: guest.url,
      headers: (): Record<string, string> => (guest.token === undefined ? {} : { authorization: `Bearer ${guest.token}` }),
      retryAttempts,
      retry: () => new Promise((resolve) => setTimeout(resolve, 50)),
    });

  it('signs in, creates a room, watches it, sends, receives, and pages back', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    const ada: { url: string; token: string | undefined } = { url: server.url, token: undefined };
    const client = connect(ada);
    ada.token = (await ask<gql.SignInMutation>(client, gql.SignInDocument, { name: 'Ada' })).signIn?.token;
    await tour(client);
    await until('no room is watched', () => server.app.liveRooms.size === 0);
    client.dispose();
  });

  it('resumes with its own retry after a restart of the server, with no gap and no repeat', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const client = connect(ada, 100);
    const seen: number[] = [];
    const ended: unknown[] = [];
    const variables: { roomId: string; after: string } = {
      roomId,
      after: (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string,
    };
    client.subscribe<gql.MessageAddedSubscription>(
      { query: print(gql.MessageAddedDocument), variables },
      {
        next({ data }) {
          seen.push(data?.messageAdded.number as number);
          variables.after = data?.messageAdded.cursor as string;
        },
        error: (error) => ended.push(error),
        complete: () => ended.push('complete'),
      },
    );
    for (let i = 0; i < 10; i += 1) await ada.send(roomId, 'Hello');
    await until('the first messages have arrived', () => seen.length > 0);
    await server.restart();
    for (let i = 0; i < 10; i += 1) await ada.send(roomId, 'Hello again');
    await until('all messages have arrived', () => seen.length >= 20);
    // After this one, a second copy of an earlier message would have arrived.
    await ada.send(roomId, 'The last');
    await until('the last has arrived', () => seen.includes(21));
    assert.deepEqual(
      seen,
      Array.from({ length: 21 }, (_, i) => i + 1),
    );
    assert.deepEqual(ended, []);
    client.dispose();
  });

  it('gets an error for a refused stream, and complete for the end of a room', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const client = connect(ada);
    const watch = (id: string) =>
      client.iterate<gql.RoomEventsSubscription>({ query: print(gql.RoomEventsDocument), variables: { roomId: id } });
    await assert.rejects(watch('room_00000000000000000000000000').next(), /404/);
    const stream = watch(roomId);
    assert.equal((await stream.next()).value.data.roomEvents.__typename, 'CaughtUp');
    await ada.must('mutation ($input: DeleteRoomInput!) { deleteRoom(input: $input) { deletedRoomId } }', { input: { roomId } });
    assert.equal((await stream.next()).value.data.roomEvents.__typename, 'RoomDeleted');
    assert.equal((await stream.next()).done, true);
    client.dispose();
  });
});
