// Who may do what, and that a room which somebody may not see is to them, in every answer, a room that is not there.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { type Answer, ask, Guest, startServer } from '../support/server.ts';
import { everythingIn } from '../support/stored.ts';
import { refuseEventStream, Watch } from '../support/watch.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const owner = await Guest.signIn(server.url, 'Owner');
const member = await Guest.signIn(server.url, 'Member');
const outsider = await Guest.signIn(server.url, 'Outsider');
const third = await Guest.signIn(server.url, 'Third');
const guests = { owner, member, outsider, nobody: undefined };
type Person = keyof typeof guests;
const people = Object.keys(guests) as Person[];

/** A room of each sort, with who opened it, another member, and a message of that member's; DELETED had all of it. */
const sorts = ['OPEN', 'PRIVATE', 'DIRECT', 'DELETED'] as const;
type Sort = (typeof sorts)[number];

interface Place {
  readonly roomId: string;
  readonly messageId: string;
  readonly membershipId: string;
}

async function createPlace(sort: Sort): Promise<Place> {
  const roomId =
    sort === 'DIRECT'
      ? await openDirect()
      : await owner.createRoom({ kind: sort === 'OPEN' ? 'OPEN' : 'PRIVATE', memberIds: [member.userId, third.userId] });
  const { message } = await member.send(roomId, 'a secret');
  const membershipId = (await member.must(gql.RoomDocument, { id: roomId })).room?.viewerMembership?.id as string;
  if (sort === 'DELETED') await owner.must(gql.DeleteRoomDocument, { roomId });
  return { roomId, messageId: message.id, membershipId };
}

async function openDirect(): Promise<string> {
  const input = { userId: member.userId, subject: crypto.randomUUID() };
  return (await owner.must(gql.OpenDirectRoomDocument, { input })).openDirectRoom?.room.id as string;
}

/** For what changes nothing. */
const places = {
  OPEN: await createPlace('OPEN'),
  PRIVATE: await createPlace('PRIVATE'),
  DIRECT: await createPlace('DIRECT'),
  DELETED: await createPlace('DELETED'),
};

const absent: Place = {
  roomId: 'room_01h455vb4pex5vsknk084sn02q',
  messageId: 'message_01h455vb4pex5vsknk084sn02q',
  membershipId: 'membership_01h455vb4pex5vsknk084sn02q',
};

const askAs = (person: Person, document: string, variables: object): Promise<Answer<Record<string, unknown>>> =>
  ask<Record<string, unknown>, object>(server.url, guests[person]?.token, document, variables);

describe('a mutation', () => {
  const roomInput = ({ roomId }: Place) => ({ roomId });
  const messageInput = ({ messageId }: Place) => ({ messageId });
  /** Operation, its payload and input, and for each sort of room what owner, member and outsider get. */
  const rules: [name: string, payload: string, (place: Place) => object, Record<Exclude<Sort, 'DELETED'>, [string, string, string]>][] = [
    [
      'sendMessage',
      'message { id }',
      ({ roomId }) => ({ roomId, body: 'x' }),
      { OPEN: ['ok', 'ok', 'FORBIDDEN'], PRIVATE: ['ok', 'ok', 'NOT_FOUND'], DIRECT: ['ok', 'ok', 'NOT_FOUND'] },
    ],
    [
      'editMessage',
      'message { id }',
      ({ messageId }) => ({ messageId, body: 'edited' }),
      { OPEN: ['FORBIDDEN', 'ok', 'FORBIDDEN'], PRIVATE: ['FORBIDDEN', 'ok', 'NOT_FOUND'], DIRECT: ['FORBIDDEN', 'ok', 'NOT_FOUND'] },
    ],
    [
      'deleteMessage',
      'message { id }',
      messageInput,
      { OPEN: ['ok', 'ok', 'FORBIDDEN'], PRIVATE: ['ok', 'ok', 'NOT_FOUND'], DIRECT: ['FORBIDDEN', 'ok', 'NOT_FOUND'] },
    ],
    [
      'updateRoom',
      'room { id }',
      ({ roomId }) => ({ roomId, name: 'New' }),
      {
        OPEN: ['ok', 'FORBIDDEN', 'FORBIDDEN'],
        PRIVATE: ['ok', 'FORBIDDEN', 'NOT_FOUND'],
        DIRECT: ['BAD_USER_INPUT', 'BAD_USER_INPUT', 'NOT_FOUND'],
      },
    ],
    [
      'deleteRoom',
      'deletedRoomId',
      roomInput,
      { OPEN: ['ok', 'FORBIDDEN', 'FORBIDDEN'], PRIVATE: ['ok', 'FORBIDDEN', 'NOT_FOUND'], DIRECT: ['ok', 'ok', 'NOT_FOUND'] },
    ],
    [
      'joinRoom',
      'membership { id }',
      roomInput,
      { OPEN: ['ok', 'ok', 'ok'], PRIVATE: ['ok', 'ok', 'NOT_FOUND'], DIRECT: ['ok', 'ok', 'NOT_FOUND'] },
    ],
    [
      'leaveRoom',
      'roomId',
      roomInput,
      { OPEN: ['ok', 'ok', 'ok'], PRIVATE: ['ok', 'ok', 'NOT_FOUND'], DIRECT: ['BAD_USER_INPUT', 'BAD_USER_INPUT', 'NOT_FOUND'] },
    ],
    [
      'addMember',
      'membership { id }',
      ({ roomId }) => ({ roomId, userId: outsider.userId }),
      {
        OPEN: ['ok', 'FORBIDDEN', 'FORBIDDEN'],
        PRIVATE: ['ok', 'FORBIDDEN', 'NOT_FOUND'],
        DIRECT: ['BAD_USER_INPUT', 'BAD_USER_INPUT', 'NOT_FOUND'],
      },
    ],
    [
      'removeMember',
      'removedUserId',
      ({ roomId }) => ({ roomId, userId: third.userId }),
      {
        OPEN: ['ok', 'FORBIDDEN', 'FORBIDDEN'],
        PRIVATE: ['ok', 'FORBIDDEN', 'NOT_FOUND'],
        DIRECT: ['BAD_USER_INPUT', 'BAD_USER_INPUT', 'NOT_FOUND'],
      },
    ],
  ];

  for (const [name, payload, toInput, bySort] of rules) {
    const document = `mutation ($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { ${payload} } }`;
    for (const sort of sorts) {
      const [ofOwner, ofMember, ofOutsider] = sort === 'DELETED' ? Array<string>(3).fill('NOT_FOUND') : bySort[sort];
      const outcomes = { owner: ofOwner, member: ofMember, outsider: ofOutsider, nobody: 'UNAUTHENTICATED' } as Record<Person, string>;
      for (const person of people) {
        it(`${name} in a room that is ${sort}: ${person} gets ${outcomes[person]}`, async () => {
          const place = outcomes[person] === 'ok' ? await createPlace(sort) : places[sort];
          const before = await everythingIn(server);
          const { data, errors } = await askAs(person, document, { input: toInput(place) });
          if (outcomes[person] === 'ok') {
            assert.equal(errors, undefined);
            assert.ok(data?.[name]);
            return;
          }
          assert.equal(errors?.[0]?.extensions.code, outcomes[person]);
          assert.deepEqual(data, { [name]: null });
          assert.deepEqual(await everythingIn(server), before);
          if (outcomes[person] === 'NOT_FOUND') {
            assert.deepEqual({ data, errors }, await askAs(person, document, { input: toInput(absent) }), 'as for what is not there');
          }
        });
      }
    }
  }

  for (const [name, payload, input] of [
    ['createRoom', 'room { id }', { name: 'x' }],
    ['openDirectRoom', 'created', { userId: member.userId }],
  ] as const) {
    it(`${name} without a token is UNAUTHENTICATED`, async () => {
      const before = await everythingIn(server);
      const document = `mutation ($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { ${payload} } }`;
      assert.equal((await askAs('nobody', document, { input })).errors?.[0]?.extensions.code, 'UNAUTHENTICATED');
      assert.deepEqual(await everythingIn(server), before);
    });
  }

  it('sendMessage to an OPEN room says to outsiders that they are to join', async () => {
    const { roomId } = places.OPEN;
    const { errors } = await outsider.ask(gql.SendMessageDocument, { input: { roomId, body: 'x' } });
    assert.match(errors?.[0]?.message ?? '', /join/);
  });

  it('addMember brings in nobody who does not exist, and tells only the owner so', async () => {
    const { roomId } = places.PRIVATE;
    const variables = { roomId, userId: 'user_01h455vb4pex5vsknk084sn02q' };
    const codes = [owner, member, outsider].map(async (guest) => {
      const { errors } = await guest.ask(gql.AddMemberDocument, variables);
      return [errors?.[0]?.extensions.code, errors?.[0]?.extensions.field];
    });
    assert.deepEqual(await Promise.all(codes), [
      ['NOT_FOUND', 'userId'],
      ['FORBIDDEN', undefined],
      ['NOT_FOUND', 'roomId'],
    ]);
  });
});

/** Who sees the room, its messages and its memberships. */
const sees: Record<Sort, readonly Person[]> = {
  OPEN: ['owner', 'member', 'outsider'],
  PRIVATE: ['owner', 'member'],
  DIRECT: ['owner', 'member'],
  DELETED: [],
};

describe('a query', () => {
  const documents = {
    room: 'query ($roomId: ID!) { room(id: $roomId) { id name members { nodes { id } } messages { nodes { body } } } }',
    'node of the room':
      'query ($roomId: ID!) { node(id: $roomId) { __typename id ... on Room { name memberCount lastMessage { body } } } }',
    'node of the message': 'query ($messageId: ID!) { node(id: $messageId) { __typename id ... on Message { body room { name } } } }',
    'node of the membership':
      'query ($membershipId: ID!) { node(id: $membershipId) { __typename id ... on Membership { room { name } } } }',
  };
  for (const sort of sorts) {
    for (const [what, document] of Object.entries(documents)) {
      for (const person of people) {
        const seen = sees[sort].includes(person);
        it(`for ${what} that is ${sort} gives ${person} ${seen ? 'it' : 'null'}`, async () => {
          const answer = await askAs(person, document, places[sort]);
          if (seen) assert.ok(answer.data && Object.values(answer.data)[0]);
          else assert.deepEqual(answer, await askAs(person, document, absent));
          assert.equal(answer.errors, undefined);
        });
      }
    }

    it(`for rooms lists a room that is ${sort} for ${sees[sort].join(', ') || 'nobody'} alone`, async () => {
      const { roomId } = places[sort];
      for (const person of ['owner', 'member', 'outsider'] as const) {
        for (const orderBy of ['RECENTLY_ACTIVE', 'NEWEST', 'NAME'] as const) {
          const listed: string[] = [];
          let page: Awaited<ReturnType<Guest['rooms']>> | undefined;
          do {
            const after = page?.pageInfo.endCursor ?? null;
            page = await guests[person].rooms({ first: 100, after, orderBy });
            listed.push(...page.nodes.map(({ id }) => id));
          } while (page.pageInfo.hasNextPage);
          assert.equal(listed.includes(roomId), sees[sort].includes(person), `${person}, ${orderBy}`);
        }
      }
    });
  }

  it('for rooms is UNAUTHENTICATED without a token', async () => {
    const { errors } = await askAs('nobody', '{ rooms { nodes { id } } }', {});
    assert.equal(errors?.[0]?.extensions.code, 'UNAUTHENTICATED');
  });

  it('for the viewer gives null without a token, and else the viewer', async () => {
    assert.deepEqual(await askAs('nobody', '{ viewer { id } }', {}), { data: { viewer: null } });
    assert.deepEqual(await askAs('owner', '{ viewer { user { id name } } }', {}), {
      data: { viewer: { user: { id: owner.userId, name: 'Owner' } } },
    });
  });

  it('for a user gives any who is signed in that user', async () => {
    const document = 'query ($id: ID!) { node(id: $id) { __typename ... on User { name } } }';
    const node = { __typename: 'User', name: 'Member' };
    assert.deepEqual(await askAs('outsider', document, { id: member.userId }), { data: { node } });
    assert.deepEqual(await askAs('nobody', document, { id: member.userId }), { data: { node: null } });
  });
});

describe('a stream', () => {
  const documents = {
    messageAdded: 'subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { body } }',
    roomEvents: 'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename } }',
  };
  for (const [name, document] of Object.entries(documents)) {
    for (const sort of sorts) {
      for (const person of people) {
        const seen = sees[sort].includes(person);
        const code = person === 'nobody' ? 'UNAUTHENTICATED' : 'NOT_FOUND';
        it(`${name} of a room that is ${sort} is ${seen ? 'open to' : `${code} to`} ${person}`, async () => {
          const { roomId } = places[sort];
          const client = (guests[person] ?? owner).connect(person === 'nobody' ? { connectionParams: {} } : {});
          await using watch = new Watch(client, document, { roomId });
          if (seen) {
            // messageAdded says nothing until there is something to say.
            if (name === 'messageAdded') await keepSending(roomId, watch);
            await watch.take(1);
          } else {
            const errors = await watch.ended;
            assert.equal(errors?.[0]?.extensions.code, code);
            assert.deepEqual(watch.results, []);
            await using ofAbsent = new Watch(client, document, { roomId: absent.roomId });
            assert.deepEqual(errors, await ofAbsent.ended);
            const overHttp = (id: string) => refuseEventStream(server.url, guests[person]?.token, document, { roomId: id });
            assert.deepEqual(await overHttp(roomId), await overHttp(absent.roomId));
            assert.equal((await overHttp(roomId)).errors?.[0]?.extensions.code, code);
          }
          await client.dispose();
        });
      }
    }
  }

  async function keepSending(roomId: string, watch: Watch<unknown>): Promise<void> {
    while (watch.results.length === 0) await member.send(roomId, 'are you there?');
  }
});
