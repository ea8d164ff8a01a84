import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';
import { everythingIn, logOf } from '../support/stored.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url, 'Ada');
const bob = await Guest.signIn(server.url, 'Bob');
const cem = await Guest.signIn(server.url, 'Cem');

const read = async (guest: Guest, id: string) => (await guest.must(gql.RoomDocument, { id })).room;
const open = async (guest: Guest, userId: string, subject?: string) =>
  (await guest.must(gql.OpenDirectRoomDocument, { input: { userId, ...(subject === undefined ? {} : { subject }) } })).openDirectRoom;

describe('a new room', () => {
  it('has the given fields, its creator as owner, and an empty log', async () => {
    const id = await ada.createRoom({
      name: '  Chess ',
      description: 'Moves',
      kind: 'PRIVATE',
      subject: 'game:7',
      memberIds: [bob.userId, cem.userId, bob.userId, ada.userId],
    });
    const { createdAt, lastActiveAt, viewerMembership, ...room } = (await read(ada, id)) ?? {};
    assert.deepEqual(room, {
      id,
      kind: 'PRIVATE',
      name: 'Chess',
      description: 'Moves',
      subject: 'game:7',
      memberCount: 3,
      createdBy: { id: ada.userId },
      peer: null,
      lastMessage: null,
    });
    assert.match(createdAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(lastActiveAt, createdAt);
    assert.equal(viewerMembership?.role, 'OWNER');
    assert.deepEqual(
      (await ada.must(gql.MembersDocument, { id })).room?.members.edges.map(({ node }) => `${node.user.name} ${node.role}`),
      ['Ada OWNER', 'Bob MEMBER', 'Cem MEMBER'],
    );
    assert.deepEqual(await logOf(server, id), []);
  });

  it('gives its first message the number 1', async () => {
    assert.equal((await ada.send(await ada.createRoom(), 'x')).message.number, 1);
  });
});

describe('an update', () => {
  it('changes the given fields, keeps absent ones, and clears with null', async () => {
    const roomId = await ada.createRoom({ name: 'One', description: 'first' });
    const update = async (input: object) => {
      const { updateRoom } = await ada.must(gql.UpdateRoomDocument, { input: { roomId, ...input } });
      return [updateRoom?.room.name, updateRoom?.room.description];
    };
    assert.deepEqual(await update({ name: ' Two ' }), ['Two', 'first']);
    assert.deepEqual(await update({ description: 'second' }), ['Two', 'second']);
    assert.deepEqual(await update({ description: null }), ['Two', null]);
    assert.deepEqual(await update({ name: 'Three', description: '' }), ['Three', '']);
    assert.deepEqual(await logOf(server, roomId), Array(4).fill('RoomUpdated'));
  });

  it('that changes nothing writes nothing', async () => {
    const roomId = await ada.createRoom({ name: 'Same', description: 'same' });
    const before = await everythingIn(server);
    for (const input of [{}, { name: 'Same' }, { name: ' Same ', description: 'same' }]) {
      await ada.must(gql.UpdateRoomDocument, { input: { roomId, ...input } });
    }
    assert.deepEqual(await everythingIn(server), before);
  });
});

describe('a deleted room', () => {
  it('has RoomDeleted as its last entry, and cannot be deleted again', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId] });
    const { message } = await bob.send(roomId, 'x');
    assert.deepEqual(await ada.must(gql.DeleteRoomDocument, { roomId }), { deleteRoom: { deletedRoomId: roomId } });
    const before = await everythingIn(server);
    assert.equal((await ada.ask(gql.DeleteRoomDocument, { roomId })).errors?.[0]?.extensions.code, 'NOT_FOUND');
    assert.equal((await bob.ask(gql.DeleteMessageDocument, { messageId: message.id })).errors?.[0]?.extensions.code, 'NOT_FOUND');
    assert.deepEqual(await everythingIn(server), before);
    assert.deepEqual(await logOf(server, roomId), ['MessageAdded TALK', 'RoomDeleted']);
  });
});

describe('a DIRECT room', () => {
  it('is the same for both users of a pair and subject', async () => {
    const first = await open(ada, bob.userId);
    assert.equal(first?.created, true);
    assert.equal(first?.room.memberCount, 2);
    assert.deepEqual(await logOf(server, first?.room.id as string), []);
    const same = [await open(ada, bob.userId), await open(bob, ada.userId)];
    assert.deepEqual(
      same.map((opened) => [opened?.created, opened?.room.id]),
      Array(2).fill([false, first?.room.id]),
    );
    const others = [await open(ada, bob.userId, 'trade:1'), await open(bob, ada.userId, 'trade:2'), await open(ada, cem.userId)];
    assert.deepEqual(
      others.map((opened) => opened?.created),
      [true, true, true],
    );
    assert.equal(new Set([first, ...others].map((opened) => opened?.room.id)).size, 4);
    assert.equal((await open(bob, ada.userId, 'trade:1'))?.room.id, others[0]?.room.id);
  });

  it('that both open 10 times concurrently is created once', async () => {
    const subject = crypto.randomUUID();
    const opened = await Promise.all(
      Array.from({ length: 10 }, () => [open(ada, bob.userId, subject), open(bob, ada.userId, subject)]).flat(),
    );
    assert.equal(new Set(opened.map((one) => one?.room.id)).size, 1);
    assert.equal(opened.filter((one) => one?.created).length, 1);
  });

  it('has the same name for both, no owner, and the other user as peer', async () => {
    const id = (await open(ada, bob.userId, crypto.randomUUID()))?.room.id as string;
    const [ofAda, ofBob] = [await read(ada, id), await read(bob, id)];
    assert.equal(ofAda?.name, ofBob?.name);
    assert.match(ofAda?.name ?? '', /Ada.*Bob|Bob.*Ada/);
    assert.deepEqual([ofAda?.peer?.id, ofBob?.peer?.id], [bob.userId, ada.userId]);
    assert.deepEqual([ofAda?.viewerMembership?.role, ofBob?.viewerMembership?.role], ['MEMBER', 'MEMBER']);
  });

  it('is a new room after either user has deleted it', async () => {
    const subject = crypto.randomUUID();
    const rooms = new Set<string>();
    for (const guest of [ada, bob, ada]) {
      const opened = await open(ada, bob.userId, subject);
      assert.equal(opened?.created, true);
      rooms.add(opened?.room.id as string);
      await guest.must(gql.DeleteRoomDocument, { roomId: opened?.room.id as string });
    }
    assert.equal(rooms.size, 3);
  });

  it('answers every call if both users open and delete it concurrently', async () => {
    const subject = crypto.randomUUID();
    const turn = async (guest: Guest, other: Guest) => {
      for (let i = 0; i < 15; i += 1) {
        const roomId = (await open(guest, other.userId, subject))?.room.id as string;
        const { errors } = await guest.ask(gql.DeleteRoomDocument, { roomId });
        assert.ok(!errors || errors[0]?.extensions.code === 'NOT_FOUND', JSON.stringify(errors));
      }
    };
    await Promise.all([turn(ada, bob), turn(bob, ada), turn(ada, bob), turn(bob, ada)]);
  });
});
