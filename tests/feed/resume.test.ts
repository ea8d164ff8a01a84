import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { print } from 'graphql';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer, storages } from '../support/server.ts';

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
