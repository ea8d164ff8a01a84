// A request needs few queries, and no result contains rows that were read before a change.

import assert from 'node:assert/strict';
import { after, describe, it, mock } from 'node:test';
import pg from 'pg';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';
import { Watch } from '../support/watch.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url, 'Ada');

/** The statements that this process sends to PostgreSQL during `work`, without their parameters, sorted. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  const spy = mock.method(pg.Client.prototype, 'query', function (this: pg.Client, ...args: unknown[]) {
    const [statement] = args as [string | { text: string }];
    sent.push(typeof statement === 'string' ? statement : statement.text);
    return query.apply(this, args);
  });
  try {
    await work();
  } finally {
    spy.mock.restore();
  }
  // Without what a new connection of the pool asks for and sets, and what the node reads in the background.
  return sent
    .filter((statement) => !/set_config|transaction_read_only|"?epochs"? |from "public"."changes"/.test(statement))
    .map((statement) => statement.replaceAll(/\(\$\d+(, \$\d+)*\)/g, '(…)').replaceAll(/\$\d+/g, '$'))
    .toSorted();
}

describe('a page of rooms', () => {
  it('needs the same few queries for every length', async () => {
    const subject = 'counted';
    for (let i = 0; i < 30; i += 1) {
      const guest = await Guest.signIn(server.url, `Guest ${i}`);
      const roomId = await guest.createRoom({ subject, memberIds: i % 2 === 0 ? [ada.userId] : [] });
      await guest.send(roomId, 'hello');
      const direct = await guest.must(gql.OpenDirectRoomDocument, { input: { userId: ada.userId, subject } });
      await guest.send(direct.openDirectRoom?.room.id as string, 'hello');
    }
    const page = (first: number) =>
      ada.must(
        `query ($first: Int!) { rooms(first: $first, filter: { subject: "${subject}" }) { nodes {
          id name kind memberCount createdBy { id name } peer { id name } viewerMembership { id role user { name } }
          lastMessage { id body sender { id name } room { id name } } } } }`,
        { first },
      );
    // The markers of those who have sent something are written in the background.
    await server.app.senderMarkers.flush();
    await page(60);
    const few = await statementsOf(() => page(4));
    const many = await statementsOf(async () => {
      const { rooms } = (await page(60)) as {
        rooms: { nodes: { peer: object | null; lastMessage: object | null; createdBy: object | null }[] };
      };
      assert.equal(rooms.nodes.length, 60);
      assert.equal(rooms.nodes.filter(({ peer }) => peer !== null).length, 30);
      assert.ok(rooms.nodes.every(({ lastMessage, createdBy }) => lastMessage !== null && createdBy !== null));
    });
    // Four fields load users, in up to four batches, because their ids are known at different times.
    const once = (statements: string[]) => statements.filter((each, i) => !each.includes('"users"') || statements.indexOf(each) === i);
    assert.deepEqual(once(many), once(few));
    assert.ok(few.length <= 10);
    assert.ok(many.length >= 6 && many.length <= 10, many.join('\n'));
  });
});

describe('a change', () => {
  const rename = (roomId: string, name: string) => ada.must(gql.UpdateRoomDocument, { input: { roomId, name } });

  it('between two events is visible in the second', async () => {
    const roomId = await ada.createRoom({ name: 'First' });
    interface Event {
      readonly roomEvents: { __typename: string; room: { name: string; lastMessage: { body: string } | null } };
    }
    await using watch = new Watch<Event>(
      ada,
      'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename room { name lastMessage { body } } } }',
      {
        roomId,
      },
    );
    await watch.take(1);
    for (const [index, name] of ['Second', 'Third'].entries()) {
      await rename(roomId, name);
      await watch.take(2 * index + 2);
      await ada.send(roomId, `called ${name}`);
      await watch.take(2 * index + 3);
    }
    assert.deepEqual(
      watch.results.map(({ roomEvents: { __typename, room } }) => [__typename, room.name, room.lastMessage?.body]),
      [
        ['CaughtUp', 'First', undefined],
        ['RoomUpdated', 'Second', undefined],
        ['MessageAdded', 'Second', 'called Second'],
        ['RoomUpdated', 'Third', 'called Second'],
        ['MessageAdded', 'Third', 'called Third'],
      ],
    );
  });

  it('is visible in messageAdded, in the room of the message', async () => {
    const roomId = await ada.createRoom({ name: 'First' });
    interface Event {
      readonly messageAdded: { room: { name: string } };
    }
    await using watch = new Watch<Event>(
      ada,
      'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { room { name } } }',
      {
        roomId,
        after: (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor,
      },
    );
    await ada.send(roomId, '1');
    await watch.take(1);
    await rename(roomId, 'Second');
    await ada.send(roomId, '2');
    assert.deepEqual(
      (await watch.take(2)).map(({ messageAdded }) => messageAdded.room.name),
      ['First', 'Second'],
    );
  });

  it('by one mutation field is visible in the fields after it', async () => {
    const roomId = await ada.createRoom();
    const room = 'room { name lastMessage { body } }';
    const answer = await ada.must(
      `mutation ($id: ID!) {
        a: updateRoom(input: { roomId: $id, name: "A" }) { ${room} }
        b: sendMessage(input: { roomId: $id, body: "1" }) { message { ${room} } }
        c: updateRoom(input: { roomId: $id, name: "C" }) { ${room} }
        d: sendMessage(input: { roomId: $id, body: "2" }) { message { ${room} } }
        e: leaveRoom(input: { roomId: $id }) { room { viewerMembership { id } } }
        f: joinRoom(input: { roomId: $id }) { membership { room { memberCount viewerMembership { role } } } }
        g: leaveRoom(input: { roomId: $id }) { room { memberCount viewerMembership { id } } }
      }`,
      { id: roomId },
    );
    assert.deepEqual(answer, {
      a: { room: { name: 'A', lastMessage: null } },
      b: { message: { room: { name: 'A', lastMessage: { body: '1' } } } },
      c: { room: { name: 'C', lastMessage: { body: '1' } } },
      d: { message: { room: { name: 'C', lastMessage: { body: '2' } } } },
      e: { room: { viewerMembership: null } },
      f: { membership: { room: { memberCount: 1, viewerMembership: { role: 'OWNER' } } } },
      g: { room: { memberCount: 0, viewerMembership: null } },
    });
  });
});
