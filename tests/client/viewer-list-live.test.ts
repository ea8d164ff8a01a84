// A list of rooms that follows the stream of a real server equals a new page whenever all is quiet, whatever several users do at
// the same time, and however the connection fails.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { print } from 'graphql';
import { Link } from '../../proof/rig/link.ts';
import { resumable } from '../../src/client/resumable.ts';
import { addViewerPage, applyViewerEvent, applyViewerStatus, openViewerList, type ViewerList } from '../../src/client/viewer-list.ts';
import { lockRoom } from '../../src/storage/locked-room.ts';
import { trimRoom } from '../../src/storage/retention.ts';
import * as gql from '../gql/graphql.ts';
import { until } from '../support/process.ts';
import { chooseSeed, pick, randomFrom } from '../support/random.ts';
import { Guest, type Server, startServer } from '../support/server.ts';
import { range, readAll } from '../support/storage.ts';
import { quick, ways } from '../support/ways.ts';

type Room = NonNullable<gql.ListPageQuery['rooms']>['nodes'][number];
type Event = gql.ListEventsSubscription['viewerEvents'];

/** A device of a guest: the list of their rooms, kept current by the stream. */
class Device implements Disposable {
  list: ViewerList<Room>;
  isLive = false;
  readonly kinds = new Set<string>();
  readonly #stop: () => void;

  private constructor(guest: Guest, url: string, way: string, list: ViewerList<Room>) {
    this.list = list;
    const subscriber = ways[way]?.(url, () => guest.token);
    assert.ok(subscriber);
    this.#stop = resumable(subscriber, { backoff: quick }).subscribe(
      { query: print(gql.ListEventsDocument), variables: { after: list.cursor } },
      {
        next: ({ data }: { data: { viewerEvents: Event } }) => {
          this.kinds.add(data.viewerEvents.__typename);
          this.list = applyViewerEvent<Room>(this.list, data.viewerEvents);
        },
        status: (status) => {
          this.isLive = status === 'live';
          this.list = applyViewerStatus(this.list, status);
        },
        error: (error) => assert.fail(JSON.stringify(error)),
        complete: () => assert.fail('the stream completed'),
      },
    );
  }

  static async open(guest: Guest, url: string, way: string, pageSize = 100): Promise<Device> {
    const { viewer, rooms } = await guest.must(gql.ListPageDocument, { first: pageSize });
    assert.ok(viewer && rooms);
    const { hasNextPage, endCursor } = rooms.pageInfo;
    const first = { viewerId: guest.userId, rooms: rooms.nodes, syncCursor: rooms.syncCursor, hasNextPage, unread: viewer.unread };
    const device = new Device(guest, url, way, openViewerList<Room>(first));
    for (let after = hasNextPage ? endCursor : null; after !== null; ) {
      const page = (await guest.must(gql.ListPageDocument, { first: pageSize, after })).rooms;
      assert.ok(page);
      device.list = addViewerPage(device.list, { rooms: page.nodes, hasNextPage: page.pageInfo.hasNextPage });
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    }
    return device;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

const fresh = async (guest: Guest) => {
  const { viewer, rooms } = await guest.must(gql.ListPageDocument, { first: 100 });
  return { rooms: rooms?.nodes ?? [], unread: viewer?.unread };
};

describe('a list of rooms', () => {
  for (const way of Object.keys(ways)) {
    it(`equals a new page after random actions, over ${way}`, async () => {
      const seed = chooseSeed(`lists of rooms over ${way}`);
      const random = randomFrom(seed);
      await using server = await startServer({ storage: 'PostgreSQL' });
      await using link = await Link.open({ port: Number(new URL(server.url).port) });
      const url = `http://127.0.0.1:${link.port}/graphql`;
      const people = await Promise.all(['Ada', 'Bob', 'Cai'].map((name) => Guest.signIn(server.url, name)));
      const world = new World(server, people, random);
      await world.open();
      const [ada] = people as [Guest];
      using whole = await Device.open(ada, url, way);
      using paged = await Device.open(ada, url, way, 2);
      for (const round of range(1, 25)) {
        const fault = round % 5 === 0 ? pick(['reset', 'restart'] as const, random) : undefined;
        if (fault === 'reset') link.reset();
        const restarting = fault === 'restart' ? server.restart() : undefined;
        await restarting;
        await Promise.all(range(1, 8).map(() => world.act()));
        for (const device of [whole, paged]) {
          let shown: unknown;
          let truth: unknown;
          const isEqual = async () => {
            truth = await fresh(ada);
            shown = { rooms: device.list.rooms, unread: device.list.unread };
            return isDeepStrictEqual(shown, truth);
          };
          await until('the list equals a new page', isEqual, 10_000).catch(() => {});
          assert.deepEqual(shown, truth, `round ${round} of seed ${seed}: ${world.done.slice(-20).join(', ')}`);
        }
      }
      for (const kind of ['ViewerRoomAdded', 'ViewerRoomChanged', 'ViewerRoomRemoved', 'ViewerMembershipChanged']) {
        assert.ok(whole.kinds.has(kind), kind);
      }
    });
  }
});

describe('the count of a room', () => {
  it('follows what is not seen in the state of the room: whose a message is, and what retention removed', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    const ada = await Guest.signIn(server.url, 'Ada');
    const bob = await Guest.signIn(server.url, 'Bob');
    const roomId = await bob.createRoom({ memberIds: [ada.userId] });
    using device = await Device.open(ada, server.url, 'graphql-ws');
    const count = () => device.list.rooms[0]?.viewerMembership?.unreadCount;
    const sendQuietly = async () => {
      const answer = await ada.must(
        `mutation { sendMessage(input: { roomId: "${roomId}", body: "Mine", marksRead: false }) { message { id } } }`,
      );
      return (answer as { sendMessage: { message: { id: string } } }).sendMessage.message.id;
    };
    const untilCount = (expected: number) => until(`${expected} messages are unread`, () => count() === expected, 5000);
    await until('the stream is live', () => device.isLive);
    let own = '';
    for (const _ of range(1, 10)) [own] = await Promise.all([sendQuietly(), bob.send(roomId, 'Hello')]);
    await untilCount(10);
    // What was noted of the messages above is told before this.
    await server.app.senderMarkers.flush();
    await ada.must(`mutation { updateMembership(input: { roomId: "${roomId}", notificationLevel: NONE }) { membership { id } } }`);
    const level = () => device.list.rooms[0]?.viewerMembership?.notificationLevel;
    await until('the membership has followed', () => level() === 'NONE', 5000);
    await bob.must(`mutation { deleteMessage(input: { messageId: "${own}" }) { message { id } } }`);
    await bob.send(roomId, 'Hello');
    await untilCount(11);
    const { db } = server.app.storage;
    await db.transaction().execute(async (trx) => {
      const room = await lockRoom(trx, roomId);
      if (room) await trimRoom(room, new Date(Date.now() + 60_000));
    });
    await untilCount(0);
  });

  it('falls out of the totals while the room is muted, and comes back by itself', async () => {
    await using server = await startServer({ storage: 'PostgreSQL' });
    const ada = await Guest.signIn(server.url, 'Ada');
    const bob = await Guest.signIn(server.url, 'Bob');
    const roomId = await bob.createRoom({ memberIds: [ada.userId] });
    using device = await Device.open(ada, server.url, 'graphql-ws');
    await bob.send(roomId, 'One');
    const untilUnread = (messages: number) =>
      until(`${messages} messages are unread`, () => device.list.unread.messages === messages, 5000);
    await untilUnread(1);
    const mutedUntil = new Date(Date.now() + 1500).toISOString();
    await ada.must(`mutation { updateMembership(input: { roomId: "${roomId}", mutedUntil: "${mutedUntil}" }) { membership { id } } }`);
    await untilUnread(0);
    await untilUnread(1);
  });
});

/** Some rooms, and what their members do. A refused action changes nothing. */
class World {
  readonly done: string[] = [];
  readonly #server: Server;
  readonly #people: readonly Guest[];
  readonly #random: () => number;
  readonly #rooms: string[] = [];

  constructor(server: Server, people: readonly Guest[], random: () => number) {
    this.#server = server;
    this.#people = people;
    this.#random = random;
  }

  async open(): Promise<void> {
    const [ada, bob] = this.#people as [Guest, Guest];
    for (const owner of [ada, ada, bob, bob, bob]) {
      const roomId = await owner.createRoom();
      this.#rooms.push(roomId);
      for (const person of this.#people) await person.ask(`mutation { joinRoom(input: { roomId: "${roomId}" }) { membership { id } } }`);
    }
  }

  async act(): Promise<void> {
    const [what, action] = pick(Object.entries(this.#actions), this.#random);
    const roomId = pick(this.#rooms, this.#random);
    // Half of what is done is done by Ada, on another device.
    const person = this.#random() < 0.5 ? (this.#people[0] as Guest) : pick(this.#people, this.#random);
    this.done.push(`${what} by ${this.#people.indexOf(person)} in ${this.#rooms.indexOf(roomId)}`);
    await action(person, roomId);
  }

  /** A mutation by its name, with its input. */
  #run(person: Guest, mutation: string, input: string): Promise<unknown> {
    return person.ask(`mutation { ${mutation}(input: { ${input} }) { __typename } }`);
  }

  async #message(roomId: string, own?: Guest): Promise<string> {
    const { db } = this.#server.app.storage;
    const rows = await db
      .selectFrom('messages')
      .select(['id', 'senderId'])
      .where('roomId', '=', roomId)
      .where('deletedAt', 'is', null)
      .execute();
    const some = rows.filter(({ senderId }) => !own || senderId === own.userId).slice(-6);
    return some.length === 0 ? 'message_0' : pick(some, this.#random).id;
  }

  readonly #actions = {
    send: (person: Guest, roomId: string) => this.#run(person, 'sendMessage', `roomId: "${roomId}", body: "Hello"`),
    sendTwice: async (person: Guest, roomId: string) => {
      const send = () => this.#run(person, 'sendMessage', `roomId: "${roomId}", body: "Hello"`);
      await Promise.all([send(), send()]);
    },
    sendQuietly: (person: Guest, roomId: string) =>
      this.#run(person, 'sendMessage', `roomId: "${roomId}", body: "Hello", marksRead: false`),
    edit: async (person: Guest, roomId: string) =>
      this.#run(person, 'editMessage', `messageId: "${await this.#message(roomId, person)}", body: "Changed ${this.#random()}"`),
    delete: async (person: Guest, roomId: string) =>
      this.#run(person, 'deleteMessage', `messageId: "${await this.#message(roomId, person)}"`),
    deleteAsOwner: async (person: Guest, roomId: string) =>
      this.#run(person, 'deleteMessage', `messageId: "${await this.#message(roomId)}"`),
    markUnread: async (person: Guest, roomId: string) => this.#run(person, 'markRoomUnread', `messageId: "${await this.#message(roomId)}"`),
    markRead: async (person: Guest, roomId: string) => {
      const { room } = await person.must(gql.RoomViewDocument, { id: roomId, last: 4 });
      const cursor = room?.messages.edges[0]?.cursor;
      if (cursor) await this.#run(person, 'markRoomRead', `roomId: "${roomId}", upTo: "${cursor}"`);
    },
    markAllRead: (person: Guest) => person.ask('mutation { markAllRead { unread { rooms } } }'),
    mute: (person: Guest, roomId: string) => {
      const until = this.#random() < 0.4 ? 'null' : `"${new Date(Date.now() + this.#random() * 2000).toISOString()}"`;
      return this.#run(person, 'updateMembership', `roomId: "${roomId}", mutedUntil: ${until}`);
    },
    rename: (person: Guest, roomId: string) => this.#run(person, 'updateRoom', `roomId: "${roomId}", name: "Name ${this.#random()}"`),
    leave: (person: Guest, roomId: string) => this.#run(person, 'leaveRoom', `roomId: "${roomId}"`),
    join: (person: Guest, roomId: string) => this.#run(person, 'joinRoom', `roomId: "${roomId}"`),
    joinToo: (person: Guest, roomId: string) => this.#run(person, 'joinRoom', `roomId: "${roomId}"`),
    remove: (person: Guest, roomId: string) =>
      this.#run(person, 'removeMember', `roomId: "${roomId}", userId: "${pick(this.#people, this.#random).userId}"`),
    trim: async (_person: Guest, roomId: string) => {
      const { db } = this.#server.app.storage;
      const entries = await readAll(db, roomId);
      const cutoff = entries[Math.floor(this.#random() * 5)]?.at ?? new Date(0);
      await db.transaction().execute(async (trx) => {
        const room = await lockRoom(trx, roomId);
        if (room) await trimRoom(room, cutoff);
      });
    },
  } satisfies Record<string, (person: Guest, roomId: string) => unknown>;
}
