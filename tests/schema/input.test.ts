// An invalid argument gets an error that names its field, and nothing is written.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';
import { everythingIn } from '../support/stored.ts';
import { refuseEventStream, Watch } from '../support/watch.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url);
const bob = await Guest.signIn(server.url, 'Bob');
const roomId = await ada.createRoom({ memberIds: [bob.userId] });
const otherRoomId = await ada.createRoom({ name: 'Other' });
const { message } = await ada.send(roomId, 'hello');
const membershipId = (await ada.must(gql.RoomDocument, { id: roomId })).room?.viewerMembership?.id as string;
const rooms = await ada.rooms({ first: 1 });
const byName = await ada.rooms({ first: 1, orderBy: 'NAME' });
const members = (await ada.must(gql.MembersDocument, { id: roomId })).room?.members;
const otherMembers = (await ada.must(gql.MembersDocument, { id: otherRoomId })).room?.members;
const messages = (await ada.must(gql.MessagesDocument, { id: roomId })).room?.messages;
const otherMessage = (await ada.send(otherRoomId, 'elsewhere')).message;

interface Refusal {
  readonly code: string;
  readonly field?: string | undefined;
}

/** Executes the operation, and checks the error and that the database is unchanged. */
async function assertRefused(document: string, variables: object, { code, field }: Refusal): Promise<void> {
  const before = await everythingIn(server);
  const { errors } = await ada.ask(document, variables);
  assert.equal(errors?.length, 1, JSON.stringify(errors));
  assert.equal(errors?.[0]?.extensions.code, code, JSON.stringify(errors));
  assert.equal(errors?.[0]?.extensions.field, field);
  assert.ok(errors?.[0]?.message);
  assert.deepEqual(await everythingIn(server), before);
}

const mutation = (name: string, payload: string) =>
  `mutation ($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { ${payload} } }`;
const documents = {
  signIn: mutation('signIn', 'token'),
  createRoom: mutation('createRoom', 'room { id }'),
  openDirectRoom: mutation('openDirectRoom', 'created'),
  updateRoom: mutation('updateRoom', 'room { id }'),
  deleteRoom: mutation('deleteRoom', 'deletedRoomId'),
  joinRoom: mutation('joinRoom', 'membership { id }'),
  addMember: mutation('addMember', 'membership { id }'),
  removeMember: mutation('removeMember', 'removedUserId'),
  leaveRoom: mutation('leaveRoom', 'roomId'),
  sendMessage: mutation('sendMessage', 'message { id }'),
  editMessage: mutation('editMessage', 'message { id }'),
  deleteMessage: mutation('deleteMessage', 'message { id }'),
  markRoomRead: mutation('markRoomRead', 'membership { id }'),
  markRoomUnread: mutation('markRoomUnread', 'membership { id }'),
  updateMembership: mutation('updateMembership', 'membership { id }'),
  updateViewer: mutation('updateViewer', 'viewer { id }'),
};
type MutationName = keyof typeof documents;

const streams = {
  messageAdded: 'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { id } }',
  roomEvents: 'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { cursor } }',
};

/** Opens both streams over WebSocket and SSE with each of the variables. Checks that each is refused with `code` and that the socket stays open. */
async function assertStreamsRefused(each: object[], code: string, status: number): Promise<void> {
  const client = ada.connect();
  await using healthy = new Watch(client, streams.roomEvents, { roomId });
  await healthy.take(1);
  for (const variables of each) {
    for (const document of Object.values(streams)) {
      await using refused = new Watch(client, document, variables);
      assert.equal((await refused.ended)?.[0]?.extensions.code, code);
      assert.deepEqual(refused.results, []);
      const overHttp = await refuseEventStream(server.url, ada.token, document, variables);
      assert.equal(overHttp.errors?.[0]?.extensions.code, code);
      assert.equal(overHttp.status, status);
    }
  }
  await ada.send(roomId, 'the other stream of the socket goes on');
  await healthy.take(2);
  await client.dispose();
}

describe('a text', () => {
  const bad = (max: number) => ({
    [`of ${max + 1} characters`]: 'x'.repeat(max + 1),
    [`of ${max + 1} astral characters`]: '😀'.repeat(max + 1),
    'with NUL': 'a\0b',
    'that is NUL': '\0',
    'with a lone high surrogate': 'a\ud800b',
    'with a lone low surrogate': 'a\udc00b',
    'that ends in half a pair': '😀\ud83d',
  });
  const blank = { 'that is empty': '', 'of spaces': '   ', 'of all kinds of white space': ' \t\r\n\u00a0\u3000\ufeff' };
  const invisible = {
    'of zero-width characters': '\u200b\u200d\u2060',
    'of bidi controls': '\u202e\u2066',
    'of a Hangul filler': '\u3164',
    'of a Braille blank': '\u2800',
    'of tags': '\u{e0041}',
    'of a combining mark': '\u0301',
  };
  const texts: [MutationName, field: string, rest: object, max: number, mayBeBlank?: boolean][] = [
    ['sendMessage', 'body', { roomId }, 4000],
    ['sendMessage', 'clientMessageId', { roomId, body: 'x' }, 128],
    ['editMessage', 'body', { messageId: message.id }, 4000],
    ['signIn', 'name', {}, 80],
    ['createRoom', 'name', {}, 100],
    ['createRoom', 'description', { name: 'x' }, 1000, true],
    ['createRoom', 'subject', { name: 'x' }, 200],
    ['openDirectRoom', 'subject', { userId: bob.userId }, 200],
    ['updateRoom', 'name', { roomId }, 100],
    ['updateRoom', 'description', { roomId }, 1000, true],
    ['updateViewer', 'name', {}, 80],
  ];
  for (const [name, field, rest, max, mayBeBlank] of texts) {
    for (const [what, value] of Object.entries({ ...bad(max), ...(mayBeBlank ? {} : blank) })) {
      it(`${what} is refused as ${name}.${field}`, () =>
        assertRefused(documents[name], { input: { ...rest, [field]: value } }, { code: 'BAD_USER_INPUT', field }));
    }
  }

  for (const [name, field, rest] of texts) {
    if (field !== 'body' && field !== 'name') continue;
    for (const [what, value] of Object.entries(invisible)) {
      it(`${what} is refused as ${name}.${field}`, () =>
        assertRefused(documents[name], { input: { ...rest, [field]: value } }, { code: 'BAD_USER_INPUT', field }));
    }
  }

  it('that is a name is stored in normal form', async () => {
    const { createRoom } = await ada.must(gql.CreateRoomDocument, { input: { name: '\u202eＧａｒ\u200bden \n ① ' } });
    assert.equal(createRoom?.room.name, 'Garden 1');
    const { updateRoom } = await ada.must(gql.UpdateRoomDocument, {
      input: { roomId: createRoom?.room.id as string, name: 'Ｐａｒｋ\u00ad ①' },
    });
    assert.equal(updateRoom?.room.name, 'Park 1');
    const found = await ada.rooms({ filter: { nameContains: 'ｐａｒｋ ①' } });
    assert.deepEqual(
      found.nodes.map(({ id }) => id),
      [createRoom?.room.id],
    );
    await ada.must(gql.DeleteRoomDocument, { roomId: createRoom?.room.id as string });
  });

  for (const body of ['x'.repeat(4000), '😀'.repeat(4000), '  kept as it is, \t blanks and all\n', '\u202e\u0301𝒳👩‍👩‍👧']) {
    it(`of ${[...body].length} characters and ${body.length} UTF-16 units is stored unchanged`, async () => {
      const sent = await ada.send(roomId, body);
      assert.equal(sent.message.body, body);
      assert.equal((await ada.must(gql.RoomDocument, { id: roomId })).room?.lastMessage?.body, body);
    });
  }

  for (const [field, value] of Object.entries({ nameContains: 'a\0', subject: '\ud800' })) {
    it(`that no database can store is refused as rooms(filter: { ${field} })`, () =>
      assertRefused(
        'query ($filter: RoomFilter) { rooms(filter: $filter) { nodes { id } } }',
        { filter: { [field]: value } },
        { code: 'BAD_USER_INPUT', field },
      ));
  }
});

describe('an input', () => {
  const inputs: [what: string, MutationName, input: object | null, field?: string][] = [
    ['null', 'sendMessage', null],
    ['without a required field', 'sendMessage', { roomId }],
    ['with null for a required field', 'sendMessage', { roomId, body: null }],
    ['with a number for a text', 'sendMessage', { roomId, body: 1 }],
    ['with an unknown field', 'sendMessage', { roomId, body: 'x', sender: bob.userId }],
    ['with a createdAt', 'sendMessage', { roomId, body: 'x', createdAt: '2020-01-01T00:00:00.000Z' }],
    ['with an unknown kind', 'createRoom', { name: 'x', kind: 'SECRET' }],
    ['of kind DIRECT', 'createRoom', { name: 'x', kind: 'DIRECT' }, 'kind'],
    ['with 101 members', 'createRoom', { name: 'x', memberIds: Array(101).fill(bob.userId) }, 'memberIds'],
    ['with the viewer as the other member', 'openDirectRoom', { userId: ada.userId }, 'userId'],
    ['that sets the name to null', 'updateRoom', { roomId, name: null }, 'name'],
    ['that sets the level to null', 'updateMembership', { roomId, notificationLevel: null }, 'notificationLevel'],
    ['with an unknown level', 'updateMembership', { roomId, notificationLevel: 'SOME' }],
    ['with a time of 1969', 'updateMembership', { roomId, mutedUntil: '1969-12-31T23:59:59Z' }, 'mutedUntil'],
    ...[
      'tomorrow',
      '2030-01-01',
      '2030-01-01T00:00:00',
      '2030-13-01T00:00:00Z',
      '2030-02-30T00:00:00Z',
      '9999-12-31T23:59:59-01:00',
      '',
      1_900_000_000,
      true,
    ].map((mutedUntil) => [`with the time ${mutedUntil}`, 'updateMembership', { roomId, mutedUntil }] as [string, MutationName, object]),
    ['that sets the name to null', 'updateViewer', { name: null }, 'name'],
    ['that sets the receipts to null', 'updateViewer', { sharesReceipts: null }, 'sharesReceipts'],
    ...[
      'http://example.org/a.png',
      'javascript:alert(1)',
      'data:image/png;base64,',
      'a.png',
      '',
      `https://example.org/${'a'.repeat(2000)}`,
    ].map(
      (avatarUrl) =>
        [`with the picture ${avatarUrl.slice(0, 30)}`, 'updateViewer', { avatarUrl }, 'avatarUrl'] as [
          string,
          MutationName,
          object,
          string,
        ],
    ),
    ['with the owner as the member to remove', 'removeMember', { roomId, userId: ada.userId }, 'userId'],
  ];
  for (const [what, name, input, field] of inputs) {
    it(`${what} is refused by ${name}`, () => assertRefused(documents[name], { input }, { code: 'BAD_USER_INPUT', field }));
  }

  it('with null for an optional field equals an input without the field', async () => {
    const { createRoom } = await ada.must(gql.CreateRoomDocument, {
      input: { name: ' Nulls ', description: null, memberIds: null, subject: null },
    });
    assert.equal(createRoom?.room.name, 'Nulls');
    const rooms = await ada.rooms({
      first: null,
      after: null,
      last: null,
      before: null,
      filter: { kind: null, joined: null, nameContains: null, subject: null },
    });
    assert.equal(rooms.edges.length, 3);
  });
});

describe('an id', () => {
  const ids = { room: roomId, user: bob.userId, message: message.id };
  const unknown = (kind: string) => `${kind}_01h455vb4pex5vsknk084sn02q`;
  const junk = (kind: string) => [
    '',
    ' ',
    'junk',
    `${kind}_`,
    `${kind}_\0`,
    `${kind}_\ud800`,
    `${kind}_${'z'.repeat(1000)}`,
    '٣',
    "' or 1=1 --",
    '{}',
  ];

  const takers: [MutationName, field: string, kind: keyof typeof ids, rest: object][] = [
    ['sendMessage', 'roomId', 'room', { body: 'x' }],
    ['updateRoom', 'roomId', 'room', { name: 'x' }],
    ['deleteRoom', 'roomId', 'room', {}],
    ['joinRoom', 'roomId', 'room', {}],
    ['leaveRoom', 'roomId', 'room', {}],
    ['addMember', 'roomId', 'room', { userId: bob.userId }],
    ['addMember', 'userId', 'user', { roomId }],
    ['removeMember', 'roomId', 'room', { userId: bob.userId }],
    ['removeMember', 'userId', 'user', { roomId }],
    ['openDirectRoom', 'userId', 'user', {}],
    ['createRoom', 'memberIds', 'user', { name: 'x' }],
    ['editMessage', 'messageId', 'message', { body: 'x' }],
    ['deleteMessage', 'messageId', 'message', {}],
    ['markRoomUnread', 'messageId', 'message', {}],
    ['updateMembership', 'roomId', 'room', {}],
  ];
  for (const [name, field, kind, rest] of takers) {
    const input = (id: string) => ({ input: { ...rest, [field]: field === 'memberIds' ? [bob.userId, id] : id } });
    it(`that no object has is NOT_FOUND as ${name}.${field}`, async () => {
      for (const id of [unknown(kind), ...junk(kind)]) await assertRefused(documents[name], input(id), { code: 'NOT_FOUND', field });
    });
    it(`of another type is BAD_USER_INPUT as ${name}.${field}`, async () => {
      for (const id of [membershipId, ...Object.values(ids)]) {
        if (!id.startsWith(kind)) await assertRefused(documents[name], input(id), { code: 'BAD_USER_INPUT', field });
      }
      await assertRefused(documents[name], input('membership_'), { code: 'BAD_USER_INPUT', field });
    });
  }

  it('that no object has gives null in room and in node', async () => {
    for (const id of [unknown('room'), ...junk('room')]) {
      assert.deepEqual(await ada.ask('query ($id: ID!) { room(id: $id) { id } }', { id }), { data: { room: null } });
    }
    for (const kind of ['room', 'user', 'message', 'membership']) {
      for (const id of [unknown(kind), ...junk(kind)]) {
        assert.deepEqual(await ada.ask('query ($id: ID!) { node(id: $id) { id } }', { id }), { data: { node: null } });
      }
    }
  });

  it('of another type is BAD_USER_INPUT in room', async () => {
    for (const id of [ids.user, ids.message, membershipId]) {
      await assertRefused('query ($id: ID!) { room(id: $id) { id } }', { id }, { code: 'BAD_USER_INPUT', field: 'id' });
    }
  });

  it('that no object has is NOT_FOUND in both streams', async () => {
    await assertStreamsRefused(
      [unknown('room'), ...junk('room')].map((id) => ({ roomId: id })),
      'NOT_FOUND',
      404,
    );
  });

  it('of another type is BAD_USER_INPUT in both streams', async () => {
    await assertStreamsRefused(
      [ids.user, ids.message, membershipId].map((id) => ({ roomId: id })),
      'BAD_USER_INPUT',
      400,
    );
  });
});

const pageParameters = '$first: Int, $last: Int, $after: String, $before: String';
const pageArguments = 'first: $first, last: $last, after: $after, before: $before';
const lists = {
  rooms: `query (${pageParameters}) { rooms(${pageArguments}) { nodes { id } } }`,
  members: `query ($id: ID!, ${pageParameters}) { room(id: $id) { members(${pageArguments}) { nodes { id } } } }`,
  messages: `query ($id: ID!, ${pageParameters}) { room(id: $id) { messages(${pageArguments}) { nodes { id } } } }`,
};
const variablesOf = (list: string) => (list === 'rooms' ? {} : { id: roomId });

describe('a page', () => {
  const sizes: [object, field: string | undefined][] = [
    [{ first: 0 }, 'first'],
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ first: 2 ** 31 - 1 }, 'first'],
    [{ last: 0 }, 'last'],
    [{ last: -1 }, 'last'],
    [{ last: 101 }, 'last'],
    [{ first: 1, last: 1 }, 'first'],
    [{ first: 0, last: 0 }, 'first'],
    [{ first: 2 ** 31 }, undefined],
    [{ first: 1.5 }, undefined],
    [{ last: 'all' }, undefined],
  ];
  for (const [list, document] of Object.entries(lists)) {
    for (const [size, field] of sizes) {
      it(`of ${JSON.stringify(size)} is refused by ${list}`, () =>
        assertRefused(document, { ...variablesOf(list), ...size }, { code: 'BAD_USER_INPUT', field }));
    }
    for (const size of [{ first: 1 }, { first: 100 }, { last: 1 }, { last: 100 }, { first: 1, last: null }]) {
      it(`of ${JSON.stringify(size)} is returned by ${list}`, async () => {
        assert.equal((await ada.ask(document, { ...variablesOf(list), ...size })).errors, undefined);
      });
    }
  }
});

describe('an operation that exceeds the cost limit', () => {
  const tooMuch =
    'rooms(first: 100) { nodes { members(first: 100) { nodes { id user { id } } } messages(first: 100) { nodes { id sender { id } room { id } } } } }';
  for (const rest of [
    '',
    'room(id: "room_") { messages(first: -2147483648) { nodes { id } } }',
    'room(id: "room_") { members(last: -99999) { nodes { id } } }',
  ]) {
    it(`is refused ${rest === '' ? 'alone' : `together with ${rest}`}`, async () => {
      const { data, errors } = await ada.ask(`{ ${tooMuch} ${rest} }`, {});
      assert.equal(data, undefined);
      assert.deepEqual(
        errors?.map(({ extensions }) => extensions.code),
        ['BAD_USER_INPUT'],
      );
      assert.match(errors?.[0]?.message ?? '', /smaller pages/);
    });
  }

  it('is refused because of its variables, although the same document was within the limit before', async () => {
    const query = `query ($rooms: Int!, $messages: Int!) {
      rooms(first: $rooms) { nodes { messages(first: $messages) { nodes { id sender { id } room { id } } } } } }`;
    const codes = async (rooms: number, messages: number) =>
      (await ada.ask(query, { rooms, messages })).errors?.map(({ extensions }) => extensions.code);
    assert.deepEqual([await codes(1, 1), await codes(100, 100), await codes(2, 2)], [undefined, ['BAD_USER_INPUT'], undefined]);
  });
});

describe('a cursor', () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const decode = (cursor: string) => JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, string, number, number];

  const roomPlace = rooms.pageInfo.endCursor as string;
  const memberPlace = members?.pageInfo.endCursor as string;
  const position = messages?.edges[0]?.cursor as string;
  const [version, room, seq, tag] = decode(position);
  const junk = [
    '',
    ' ',
    'junk',
    '\0',
    '\ud800',
    '%%%',
    '💥',
    'null',
    encode(null),
    encode({}),
    encode([]),
    encode([1, 2, 3, 4]),
    'A'.repeat(10_000),
  ];
  const forgedPositions = [
    encode(['2', room, seq, tag]),
    encode([version, room, String(seq), tag]),
    encode([version, room, seq + 0.5, tag]),
    encode([version, room, -1, tag]),
    encode([version, room, 2 ** 53, tag]),
    encode([version, room, seq, null]),
    encode([version, room, seq, 2 ** 40]),
    encode([version, `${room} `, seq, tag]),
    encode([version, room, seq, tag, 0]),
  ];
  const placesOf = (place: string): string[] => {
    const [of, list, key, id] = decode(place);
    return [
      encode(['2', list, key, id]),
      encode([of, list, String(key), id]),
      encode([of, list, key, 1]),
      encode([of, list, key, 'room_\0']),
      encode([of, list, -1, id]),
      encode([of, list, -8.64e15, id]),
      encode([of, list, 8.64e15, id]),
      encode([of, list, 1e300, id]),
      encode([of, list, null, id]),
    ];
  };

  const invalid: Record<keyof typeof lists, string[]> = {
    rooms: [...junk, position, memberPlace, byName.pageInfo.endCursor as string, ...placesOf(roomPlace)],
    members: [...junk, position, roomPlace, otherMembers?.pageInfo.endCursor as string, ...placesOf(memberPlace)],
    messages: [...junk, roomPlace, memberPlace, otherMessage.cursor, ...forgedPositions],
  };
  for (const [list, cursors] of Object.entries(invalid) as [keyof typeof lists, string[]][]) {
    for (const argument of ['after', 'before']) {
      it(`that ${list} never returned is CURSOR_INVALID as ${argument}`, async () => {
        for (const cursor of cursors) {
          await assertRefused(lists[list], { ...variablesOf(list), [argument]: cursor }, { code: 'CURSOR_INVALID' });
        }
      });
    }
  }

  it('of rooms ordered by name is CURSOR_INVALID in another order', async () => {
    const after = byName.pageInfo.endCursor;
    const { errors } = await ada.ask(gql.RoomsDocument, { after, orderBy: 'NEWEST' });
    assert.equal(errors?.[0]?.extensions.code, 'CURSOR_INVALID');
  });

  it('that is forged and contains a lone surrogate causes no error', async () => {
    const after = encode([version, 'rooms by NAME', '\ud800', '\ud800']);
    assert.equal((await ada.ask(gql.RoomsDocument, { after, orderBy: 'NAME' })).errors, undefined);
  });

  it('that is malformed or of another room is CURSOR_INVALID in both streams', async () => {
    await assertStreamsRefused(
      invalid.messages.map((after) => ({ roomId, after })),
      'CURSOR_INVALID',
      400,
    );
  });

  const expired = [
    encode([version, room, seq + 10_000, tag]),
    encode([version, room, 2 ** 53 - 1, tag]),
    encode([version, room, seq, tag ^ 1]),
    encode([version, room, 0, tag]),
  ];
  it('after the head, or with the tag of another entry, is CURSOR_EXPIRED in messages', async () => {
    for (const cursor of expired) {
      for (const argument of ['after', 'before']) {
        await assertRefused(lists.messages, { id: roomId, [argument]: cursor }, { code: 'CURSOR_EXPIRED' });
      }
    }
  });

  it('after the head, or with the tag of another entry, is CURSOR_EXPIRED in both streams', async () => {
    await assertStreamsRefused(
      expired.map((after) => ({ roomId, after })),
      'CURSOR_EXPIRED',
      410,
    );
  });

  it('of the head with the tag of another entry is CURSOR_EXPIRED', async () => {
    const page = (await ada.must(gql.MessagesDocument, { id: roomId })).room?.messages;
    const [, , headSeq, headTag] = decode(page?.syncCursor as string);
    const forged = encode([version, room, headSeq, headTag ^ 1]);
    await assertRefused(lists.messages, { id: roomId, after: forged }, { code: 'CURSOR_EXPIRED' });
    const refused = await refuseEventStream(server.url, ada.token, streams.messageAdded, { roomId, after: forged });
    assert.equal(refused.errors?.[0]?.extensions.code, 'CURSOR_EXPIRED');
  });

  it('before the floor is CURSOR_EXPIRED, and at the floor is valid', async () => {
    await using forgetful = await startServer({ storage: 'PostgreSQL', env: { RETENTION_DAYS: '1' } });
    const eve = await Guest.signIn(forgetful.url, 'Eve');
    const id = await eve.createRoom();
    const sent = [];
    for (let i = 1; i <= 3; i += 1) sent.push((await eve.send(id, `old ${i}`)).message.cursor);
    await forgetful.app.retention.clean(Date.now() + 2 * 86_400_000);
    await eve.send(id, 'new');
    const page = async (after: string | undefined) => eve.ask(gql.MessagesDocument, { id, ...(after === undefined ? {} : { after }) });
    for (const after of sent.slice(0, 2)) {
      assert.equal((await page(after)).errors?.[0]?.extensions.code, 'CURSOR_EXPIRED');
      for (const document of Object.values(streams)) {
        const refused = await refuseEventStream(forgetful.url, eve.token, document, { roomId: id, after });
        assert.deepEqual([refused.status, refused.errors?.[0]?.extensions.code], [410, 'CURSOR_EXPIRED']);
      }
    }
    assert.deepEqual(
      (await page(sent[2])).data?.room?.messages.edges.map(({ node }) => [node.number, node.body]),
      [[4, 'new']],
    );
    await using stream = new Watch<gql.RoomEventsSubscription>(eve, gql.RoomEventsDocument, { roomId: id, after: sent[2] });
    assert.deepEqual(
      (await stream.take(3)).map(({ roomEvents }) => roomEvents.__typename),
      ['HistoryTrimmed', 'MessageAdded', 'CaughtUp'],
    );
  });
});

it('a refused mutation uses up no number and no seq', async () => {
  const sent = await ada.send(roomId, 'the last');
  const written = await server.app.storage.db.selectFrom('roomLog').select('seq').where('roomId', '=', roomId).orderBy('seq').execute();
  assert.deepEqual(
    written.map(({ seq }) => seq),
    Array.from({ length: sent.message.number }, (_, index) => index + 1),
  );
});
