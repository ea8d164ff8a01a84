import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { assertPages, idsOf } from '../support/pages.ts';
import { Guest, startServer, storages } from '../support/server.ts';

// All suites are registered together after the setup, because the runner ends a file when every known test has ended.
const suites: (() => void)[] = [];
for (const storage of storages) {
  const server = await startServer({ storage });
  after(() => server[Symbol.asyncDispose]());
  const ada = await Guest.signIn(server.url, 'Ada');
  const others = await Promise.all(Array.from({ length: 23 }, (_, i) => Guest.signIn(server.url, `Guest ${i}`)));
  // The first 12 are initial members, with equal times. The others join, and some of them leave.
  const id = await ada.createRoom({ memberIds: others.slice(0, 12).map(({ userId }) => userId) });
  for (const guest of others.slice(12)) await guest.must(gql.JoinRoomDocument, { roomId: id });
  for (const guest of [others[3], others[15]]) await guest?.must(gql.LeaveRoomDocument, { roomId: id });
  await others[3]?.must(gql.JoinRoomDocument, { roomId: id });
  const present = ['Ada', ...others.keys().map((i) => `Guest ${i}`)].filter((name) => name !== 'Guest 3' && name !== 'Guest 15');
  const names = [...present, 'Guest 3'];

  suites.push(() => {
    describe(`members on ${storage}`, () => {
      const read = async (args: object) => (await ada.must(gql.MembersDocument, { id, ...args })).room?.members;

      it('are in the order in which they joined', async () => {
        const members = await read({ first: 100 });
        assert.deepEqual(
          members?.edges.map(({ node }) => node.user.name),
          names,
        );
        assert.equal((await ada.must(gql.RoomDocument, { id })).room?.memberCount, names.length);
      });

      it('are the whole list, page by page, forward and backward', async () => {
        const list = idsOf(await read({ first: 100 }));
        for (const size of [1, 5, names.length - 1, names.length, 100]) await assertPages(read, size, list);
        assert.deepEqual(idsOf(await read({})), list.slice(0, 20));
      });

      it('with equal times are all listed if a page ends between them', async () => {
        await server.app.storage.db
          .updateTable('memberships')
          .set({ joinedAt: new Date(0) })
          .where('roomId', '=', id)
          .execute();
        const list = idsOf(await read({ first: 100 }));
        assert.deepEqual(list, list.toSorted());
        for (const size of [1, 4]) await assertPages(read, size, list);
      });
    });
  });
}
for (const suite of suites) suite();
