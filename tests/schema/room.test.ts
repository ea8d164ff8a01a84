// Lists of rooms: their contents for each viewer, their order, and their pages.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { assertPages, idsOf } from '../support/pages.ts';
import { Guest, startServer, storages } from '../support/server.ts';

const orders = ['RECENTLY_ACTIVE', 'NEWEST', 'NAME'] as const;

// All suites are registered together after the setup, because the runner ends a file when every known test has ended.
const suites: (() => void)[] = [];
for (const storage of storages) {
  const server = await startServer({ storage });
  after(() => server[Symbol.asyncDispose]());
  const { db } = server.app.storage;
  const ada = await Guest.signIn(server.url, 'Ada');
  const eva = await Guest.signIn(server.url, 'Éva 100%');
  const zoe = await Guest.signIn(server.url, 'ZOË');

  // Names that are equal or differ only in case, also outside ASCII.
  const names = [
    'alpha',
    'Alpha',
    'ALPHA',
    'beta',
    'Émile',
    'émile',
    'E\u0301mile',
    'Straße',
    'STRASSE',
    '100%',
    '100x',
    'a_b',
    'axb',
    'ΟΔΟΣ',
    '💬',
    '\\',
  ];
  for (const [i, name] of names.entries()) {
    await (i % 2 === 0 ? ada : eva).createRoom({ name, subject: `game:${i % 4}`, ...(i % 3 === 0 ? { memberIds: [zoe.userId] } : {}) });
  }
  for (const name of ['secret of Ada', 'alpha secret']) await ada.createRoom({ name, kind: 'PRIVATE', subject: 'game:1' });
  const shared = await eva.createRoom({ name: 'Lounge', kind: 'PRIVATE', memberIds: [ada.userId] });
  await eva.createRoom({ name: 'secret of Eva', kind: 'PRIVATE', memberIds: [zoe.userId] });
  for (const [guest, other, subject] of [
    [ada, eva, 'game:1'],
    [zoe, ada, null],
    [eva, zoe, null],
  ] as const) {
    await guest.must(gql.OpenDirectRoomDocument, { input: { userId: other.userId, subject } });
  }
  await eva.send(shared, 'hello');
  const deleted = await ada.createRoom({ name: 'alpha deleted' });
  await ada.must(gql.DeleteRoomDocument, { roomId: deleted });
  // Rooms with equal times are ordered by id, and a page may end between them.
  await db
    .updateTable('rooms')
    .set({ createdAt: new Date(0), lastActiveAt: new Date(0) })
    .where('nameFolded', 'like', '%A%')
    .execute();

  const everyRoom = await db.selectFrom('rooms').selectAll().where('deletedAt', 'is', null).execute();
  const everyMembership = await db.selectFrom('memberships').selectAll().execute();
  const isIn = (guest: Guest, roomId: string) => everyMembership.some((one) => one.roomId === roomId && one.userId === guest.userId);
  const nameFor = (guest: Guest, room: (typeof everyRoom)[number]) => {
    if (room.kind !== 'DIRECT') return room.name;
    const peer = everyMembership.find((one) => one.roomId === room.id && one.userId !== guest.userId)?.userId;
    return { [ada.userId]: 'Ada', [eva.userId]: 'Éva 100%', [zoe.userId]: 'ZOË' }[peer ?? ''] ?? '';
  };
  const key = (room: (typeof everyRoom)[number], orderBy: (typeof orders)[number]) =>
    orderBy === 'NAME' ? room.nameFolded : orderBy === 'NEWEST' ? room.createdAt.getTime() : room.lastActiveAt.getTime();
  const bytes = (text: string | number) => (typeof text === 'string' ? Buffer.from(text).toString('hex') : text);

  /** The expected list, computed from all rooms. */
  function expected(guest: Guest, orderBy: (typeof orders)[number], matches: (room: (typeof everyRoom)[number]) => boolean): string[] {
    const sign = orderBy === 'NAME' ? 1 : -1;
    return everyRoom
      .filter((room) => (room.kind === 'OPEN' || isIn(guest, room.id)) && matches(room))
      .toSorted((a, b) => {
        const [x, y] = [bytes(key(a, orderBy)), bytes(key(b, orderBy))];
        return sign * (x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1);
      })
      .map(({ id }) => id);
  }

  const filters: [gql.RoomFilter | null, (room: (typeof everyRoom)[number], guest: Guest) => boolean][] = [
    [null, () => true],
    [{}, () => true],
    [{ kind: 'OPEN' }, (room) => room.kind === 'OPEN'],
    [{ kind: 'PRIVATE' }, (room) => room.kind === 'PRIVATE'],
    [{ kind: 'DIRECT' }, (room) => room.kind === 'DIRECT'],
    [{ joined: true }, (room, guest) => isIn(guest, room.id)],
    [{ joined: false }, (room, guest) => !isIn(guest, room.id)],
    [{ subject: 'game:1' }, (room) => room.subject === 'game:1'],
    [{ subject: 'game:' }, () => false],
    [{ subject: 'GAME:1' }, () => false],
    [{ nameContains: 'alpha' }, (room, guest) => /alpha/i.test(nameFor(guest, room))],
    [{ nameContains: '' }, () => true],
    [
      { kind: 'OPEN', joined: true, subject: 'game:1' },
      (room, guest) => room.kind === 'OPEN' && isIn(guest, room.id) && room.subject === 'game:1',
    ],
    [{ kind: 'DIRECT', joined: false }, () => false],
    [{ joined: true, nameContains: 'SECRET' }, (room, guest) => isIn(guest, room.id) && /secret/i.test(nameFor(guest, room))],
  ];

  suites.push(() => {
    describe(`rooms on ${storage}`, () => {
      for (const orderBy of orders) {
        it(`by ${orderBy} are the whole list, page by page, forward and backward, with every filter`, async () => {
          for (const [filter, matches] of filters) {
            for (const guest of [ada, eva, zoe]) {
              const list = expected(guest, orderBy, (room) => matches(room, guest));
              const read = (args: object) => guest.rooms({ ...args, filter, orderBy });
              for (const size of guest === ada ? [3, 100] : [7]) await assertPages(read, size, list);
              assert.deepEqual(idsOf(await read({})), list.slice(0, 20));
            }
          }
        });

        it(`by ${orderBy} are limited by two cursors`, async () => {
          const list = expected(ada, orderBy, () => true);
          const { edges } = await ada.rooms({ first: 100, orderBy });
          const cursors = { after: edges[2]?.cursor as string, before: edges[9]?.cursor as string };
          const read = async (args: object) => idsOf(await ada.rooms({ ...args, ...cursors, orderBy }));
          assert.deepEqual(await read({ first: 100 }), list.slice(3, 9));
          assert.deepEqual(await read({ first: 4 }), list.slice(3, 7));
          assert.deepEqual(await read({ last: 4 }), list.slice(5, 9));
        });
      }

      it('are ordered by RECENTLY_ACTIVE by default, and a message moves its room to the start', async () => {
        const list = expected(eva, 'RECENTLY_ACTIVE', () => true);
        const read = async () => idsOf(((await eva.must('{ rooms { edges { node { id } } } }', {})) as gql.RoomsQuery).rooms ?? undefined);
        assert.deepEqual(await read(), list.slice(0, 20));
        assert.equal(list[0], shared);
      });

      const searches: [part: string, found: string[]][] = [
        // The decomposed name is stored in composed form.
        ['É', ['Émile', 'Émile', 'émile', 'with Éva 100%']],
        ['e\u0301MILE', ['Émile', 'Émile', 'émile']],
        ['strasse', ['STRASSE', 'Straße']],
        ['straße', ['STRASSE', 'Straße']],
        ['ẞ', ['STRASSE', 'Straße']],
        ['οδοσ', ['ΟΔΟΣ']],
        ['οδος', ['ΟΔΟΣ']],
        ['100%', ['100%', 'with Éva 100%']],
        ['%', ['100%', 'with Éva 100%']],
        ['_', ['a_b']],
        ['A_B', ['a_b']],
        ['\\', ['\\']],
        ['💬', ['💬']],
        ['zoë', ['with ZOË']],
        ['ada', ['secret of Ada']],
        ['deleted', []],
        ['secret', ['alpha secret', 'secret of Ada']],
        [' and ', []],
      ];
      for (const [part, found] of searches) {
        it(`whose name contains ${part} are ${found.length}`, async () => {
          const { rooms } = (await ada.must(
            'query ($part: String!) { rooms(first: 100, filter: { nameContains: $part }) { nodes { kind name peer { name } } } }',
            { part },
          )) as { rooms: { nodes: { kind: string; name: string; peer: { name: string } | null }[] } };
          const shown = rooms.nodes.map(({ kind, name, peer }) => (kind === 'DIRECT' ? `with ${peer?.name}` : name));
          assert.deepEqual(shown.toSorted(), found.toSorted());
        });
      }
    });
  });
}
for (const suite of suites) suite();
