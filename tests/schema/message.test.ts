// Pages of the messages of a room: their messages, hasNextPage and hasPreviousPage, and syncCursor.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { assertPages, idsOf } from '../support/pages.ts';
import { Guest, startServer, storages } from '../support/server.ts';
import { Watch } from '../support/watch.ts';

// All suites are registered together after the setup, because the runner ends a file when every known test has ended.
const suites: (() => void)[] = [];
for (const storage of storages) {
  const server = await startServer({ storage });
  after(() => server[Symbol.asyncDispose]());
  const ada = await Guest.signIn(server.url, 'Ada');
  const bob = await Guest.signIn(server.url, 'Bob');
  const id = await ada.createRoom();
  const read = async (args: object = {}) => (await ada.must(gql.MessagesDocument, { id, ...args })).room?.messages;
  const empty = await read();

  // A log with entries of many types between its messages, so that cursors of all of them are tested.
  await ada.send(id, '1');
  const edited = (await ada.send(id, '2')).message;
  await bob.must(gql.JoinRoomDocument, { roomId: id });
  const deleted = (await bob.send(id, '4')).message;
  await ada.must(gql.EditMessageDocument, { messageId: edited.id, body: '2, edited' });
  await ada.must(gql.UpdateRoomDocument, { input: { roomId: id, name: 'Renamed' } });
  await ada.send(id, '5');
  await bob.must(gql.LeaveRoomDocument, { roomId: id });
  for (let number = 7; number <= 24; number += 1) await ada.send(id, String(number));
  await ada.must(gql.DeleteMessageDocument, { messageId: deleted.id });

  const { db } = server.app.storage;
  const log = await db.selectFrom('roomLog').selectAll().where('roomId', '=', id).orderBy('seq').execute();
  const all = await db.selectFrom('messages').select(['id', 'seq']).where('roomId', '=', id).orderBy('seq').execute();
  const list = all.map((message) => message.id);
  await using watch = new Watch(ada, gql.RoomEventsDocument, { roomId: id, after: empty?.syncCursor });
  /** The cursor after each entry, by its seq. The first one is that of the empty log. */
  const cursors = [empty?.syncCursor, ...(await watch.take(log.length)).map(({ roomEvents }) => roomEvents.cursor)];

  suites.push(() => {
    describe(`messages on ${storage}`, () => {
      it('of an empty room are an empty page with a syncCursor', () => {
        assert.deepEqual(empty?.edges, []);
        assert.deepEqual(empty?.pageInfo, { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null });
        assert.ok(empty?.syncCursor);
      });

      it('are the whole list, page by page, forward and backward, with tombstones in place', async () => {
        for (const size of [1, 3, list.length - 1, list.length, 100]) await assertPages(read, size, list);
        const tombstone = (await read({ first: 100 }))?.edges[3]?.node;
        assert.deepEqual([tombstone?.id, tombstone?.number, tombstone?.body], [deleted.id, 4, null]);
        assert.ok(tombstone?.deletedAt);
      });

      it('are the last 20 without first and last, and the first 20 after a cursor with after', async () => {
        assert.deepEqual(idsOf(await read()), list.slice(-20));
        assert.deepEqual(idsOf(await read({ after: cursors[0] })), list.slice(0, 20));
        assert.deepEqual(
          idsOf(await read({ before: cursors.at(-1) })),
          all
            .filter(({ seq }) => seq < log.length)
            .map((message) => message.id)
            .slice(-20),
        );
      });

      it('have the same cursor as their edge and as the entry that added them', async () => {
        const page = await read({ first: 100 });
        for (const [index, { cursor, node }] of page?.edges.entries() ?? []) {
          assert.equal(cursor, node.cursor);
          assert.equal(cursor, cursors[all[index]?.seq as number]);
          assert.equal(node.number, index + 1);
        }
      });

      it('come with the cursor of the newest entry as syncCursor on every page', async () => {
        for (const args of [{}, { first: 1 }, { last: 1 }, { after: cursors.at(-1) }])
          assert.equal((await read(args))?.syncCursor, cursors.at(-1));
      });

      it('have exact hasNextPage and hasPreviousPage between any two positions of the log', async () => {
        const middle = [0, 2, 3, 6, 9, log.length - 2, log.length];
        const sizes = [{}, { first: 1 }, { first: 4 }, { last: 1 }, { last: 4 }];
        for (const from of [undefined, ...middle]) {
          for (const to of [undefined, ...middle]) {
            for (const size of sizes) {
              const args = {
                ...size,
                ...(from === undefined ? {} : { after: cursors[from] }),
                ...(to === undefined ? {} : { before: cursors[to] }),
              };
              const page = await read(args);
              const between = all.filter(({ seq }) => seq > (from ?? -1) && seq < (to ?? Number.POSITIVE_INFINITY));
              const wanted =
                'first' in size || (!('last' in size) && from !== undefined)
                  ? between.slice(0, 'first' in size ? size.first : 20)
                  : between.slice('last' in size ? -size.last : -20);
              const what = `between ${from} and ${to}, ${JSON.stringify(size)}`;
              assert.deepEqual(
                idsOf(page),
                wanted.map((message) => message.id),
                what,
              );
              const [first, last] = [wanted[0], wanted.at(-1)];
              // The position of an empty page is that of its cursors: after one and before the other.
              const hasPreviousPage = all.some(({ seq }) => (first ? seq < first.seq : seq <= (from ?? -1)));
              const hasNextPage = all.some(({ seq }) => (last ? seq > last.seq : seq >= (to ?? Number.POSITIVE_INFINITY)));
              assert.deepEqual(
                { hasNextPage: page?.pageInfo.hasNextPage, hasPreviousPage: page?.pageInfo.hasPreviousPage },
                { hasNextPage, hasPreviousPage },
                what,
              );
            }
          }
        }
      });

      it('and a stream from their syncCursor omit nothing', async () => {
        const page = await read();
        await using stream = new Watch(ada, gql.MessageAddedDocument, { roomId: id, after: page?.syncCursor });
        const { message } = await ada.send(id, 'the next');
        assert.equal((await stream.take(1))[0]?.messageAdded.id, message.id);
        assert.equal(message.number, list.length + 1);
      });
    });
  });
}
for (const suite of suites) suite();
