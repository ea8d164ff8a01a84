// Resuming from a cursor delivers every message once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { print } from 'graphql';
import * as gql from '../gql/graphql.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { createPlace, Guest, startServer, storages } from '../support/server.ts';
import { Watch } from '../support/watch.ts';

for (const storage of storages) {
  describe(`resuming on ${storage}`, () => {
    it('resumes after the cursor with no gap and no repeat', async () => {
      await using server = await startServer({ storage });
      const ada = await Guest.signIn(server.url);
      const roomId = await ada.createRoom();
      for (let i = 1; i <= 30; i += 1) await ada.send(roomId, `message ${i}`);
      const page = (await ada.must(gql.RoomViewDocument, { id: roomId, last: 20 })).room?.messages;
      const client = ada.connect();
      const stream = client.iterate<gql.MessageAddedSubscription>({
        query: print(gql.MessageAddedDocument),
        variables: { roomId, after: page?.edges[0]?.cursor },
      });
      const seen: number[] = [];
      for (let i = 31; i <= 40; i += 1) void ada.send(roomId, `message ${i}`);
      for await (const { data } of stream) {
        seen.push(data?.messageAdded.number as number);
        if (seen.at(-1) === 40) break;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 29 }, (_, i) => 12 + i),
      );
      await client.dispose();
    });
  });
}

describe('an event whose message cannot be read', () => {
  it('is executed again from the same position, and is neither delivered as an error nor skipped', { timeout: 60_000 }, async () => {
    await using place = await createPlace('PostgreSQL');
    await using server = await startServer({ env: place.env });
    const ada = await Guest.signIn(server.url);
    const roomId = await ada.createRoom();
    const { message } = await ada.send(roomId, 'one');
    for (const body of ['two', 'three']) await ada.send(roomId, body);
    await using lock = await Lock.take(place.env['DATABASE_URL'] as string, 'lock table messages in access exclusive mode');
    await using watch = new Watch(ada, gql.MessageAddedDocument, { roomId, after: message.cursor } as never);
    // The log can be read, but the message of the entry cannot: the statement fails when its lock timeout ends.
    await until('the read is retried', () => server.app.liveRooms.counts.retries > 0);
    assert.deepEqual(watch.results, []);
    await lock.release();
    assert.deepEqual(
      (await watch.take(2)).map(({ messageAdded }) => messageAdded.body),
      ['two', 'three'],
    );
  });
});
