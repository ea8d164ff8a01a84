import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer } from '../support/server.ts';
import { everythingIn, logOf } from '../support/stored.ts';
import { Watch } from '../support/watch.ts';

const server = await startServer({ storage: 'PostgreSQL' });
after(() => server[Symbol.asyncDispose]());
const ada = await Guest.signIn(server.url, 'Ada');
const bob = await Guest.signIn(server.url, 'Bob');
const cem = await Guest.signIn(server.url, 'Cem');

const joining = ['MemberJoined', 'MessageAdded ENTER'];
const leaving = ['MessageAdded LEAVE', 'MemberLeft'];

const join = async (guest: Guest, roomId: string) => (await guest.must(gql.JoinRoomDocument, { roomId })).joinRoom?.membership;
const leave = async (guest: Guest, roomId: string) => (await guest.must(gql.LeaveRoomDocument, { roomId })).leaveRoom;
const add = async (roomId: string, userId: string) => (await ada.must(gql.AddMemberDocument, { roomId, userId })).addMember?.membership;
const remove = async (roomId: string, userId: string) => (await ada.must(gql.RemoveMemberDocument, { roomId, userId })).removeMember;

/** Name and role of the members, in list order. */
const rolesIn = async (guest: Guest, roomId: string) =>
  (await guest.must(gql.MembersDocument, { id: roomId })).room?.members.edges.map(({ node }) => `${node.user.name} ${node.role}`);

/** Checks that `work` writes nothing. */
async function writesNothing(work: () => Promise<unknown>): Promise<void> {
  const before = await everythingIn(server);
  await work();
  assert.deepEqual(await everythingIn(server), before);
}

describe('joining', () => {
  it('writes MemberJoined and then an ENTER message of the new member', async () => {
    const roomId = await ada.createRoom();
    const membership = await join(bob, roomId);
    assert.deepEqual([membership?.user.name, membership?.role], ['Bob', 'MEMBER']);
    assert.deepEqual(await logOf(server, roomId), joining);
    const messages = (await bob.must(gql.MessagesDocument, { id: roomId })).room?.messages.edges.map(({ node }) => node);
    assert.deepEqual(
      messages?.map(({ number, kind, body, sender }) => ({ number, kind, body, sender })),
      [{ number: 1, kind: 'ENTER', body: null, sender: { id: bob.userId } }],
    );
    assert.equal((await ada.must(gql.RoomDocument, { id: roomId })).room?.memberCount, 2);
  });

  it('again writes nothing, and returns the same membership', async () => {
    const roomId = await ada.createRoom();
    const first = await join(bob, roomId);
    await writesNothing(async () => assert.deepEqual(await join(bob, roomId), first));
    await writesNothing(async () => assert.equal((await join(ada, roomId))?.role, 'OWNER'));
  });

  it('20 times concurrently joins once', async () => {
    const roomId = await ada.createRoom();
    const memberships = await Promise.all(Array.from({ length: 20 }, () => join(bob, roomId)));
    assert.equal(new Set(memberships.map((membership) => membership?.id)).size, 1);
    assert.deepEqual(await logOf(server, roomId), joining);
    assert.deepEqual(await rolesIn(ada, roomId), ['Ada OWNER', 'Bob MEMBER']);
  });

  it('changes neither lastActiveAt nor lastMessage', async () => {
    const roomId = await ada.createRoom();
    const { message } = await ada.send(roomId, 'talk');
    await join(bob, roomId);
    await leave(bob, roomId);
    const { room } = await ada.must(gql.RoomDocument, { id: roomId });
    assert.deepEqual([room?.lastActiveAt, room?.lastMessage?.id], [message.createdAt, message.id]);
  });

  it('an OPEN room without members makes the user its owner', async () => {
    const roomId = await ada.createRoom();
    await leave(ada, roomId);
    assert.equal((await join(bob, roomId))?.role, 'OWNER');
    assert.equal((await join(cem, roomId))?.role, 'MEMBER');
  });
});

describe('being added', () => {
  for (const kind of ['OPEN', 'PRIVATE'] as const) {
    it(`to a room that is ${kind} writes the same entries as joining, and nothing the second time`, async () => {
      const roomId = await ada.createRoom({ kind });
      const membership = await add(roomId, bob.userId);
      assert.deepEqual([membership?.user.id, membership?.role], [bob.userId, 'MEMBER']);
      assert.deepEqual(await logOf(server, roomId), joining);
      await writesNothing(async () => assert.deepEqual(await add(roomId, bob.userId), membership));
      await writesNothing(async () => assert.equal((await add(roomId, ada.userId))?.role, 'OWNER'));
      assert.equal((await bob.must(gql.RoomDocument, { id: roomId })).room?.viewerMembership?.id, membership?.id);
    });
  }
});

describe('leaving', () => {
  it('writes a LEAVE message and then MemberLeft', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId] });
    assert.deepEqual(await leave(bob, roomId), { roomId, room: { id: roomId, memberCount: 1, viewerMembership: null } });
    assert.deepEqual(await logOf(server, roomId), leaving);
    const last = (await ada.must(gql.MessagesDocument, { id: roomId })).room?.messages.edges.at(-1)?.node;
    assert.deepEqual([last?.kind, last?.body, last?.sender?.id], ['LEAVE', null, bob.userId]);
  });

  it('an OPEN room without being a member writes nothing', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId] });
    await leave(bob, roomId);
    await writesNothing(() => leave(bob, roomId));
    await writesNothing(() => leave(cem, roomId));
  });

  it('a PRIVATE room makes it invisible', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    assert.deepEqual(await leave(bob, roomId), { roomId, room: null });
    await writesNothing(async () =>
      assert.equal((await bob.ask(gql.LeaveRoomDocument, { roomId })).errors?.[0]?.extensions.code, 'NOT_FOUND'),
    );
  });

  it('and joining again gives a new membership', async () => {
    const roomId = await ada.createRoom();
    const first = await join(bob, roomId);
    await leave(bob, roomId);
    const second = await join(bob, roomId);
    assert.notEqual(first?.id, second?.id);
    assert.deepEqual(await logOf(server, roomId), [...joining, ...leaving, ...joining]);
    assert.deepEqual(await ada.must('query ($id: ID!) { node(id: $id) { id } }', { id: first?.id }), { node: null });
  });

  it('as the owner makes the member who joined first the owner', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE' });
    await add(roomId, cem.userId);
    await add(roomId, bob.userId);
    await leave(ada, roomId);
    assert.deepEqual(await rolesIn(bob, roomId), ['Cem OWNER', 'Bob MEMBER']);
    await cem.must(gql.UpdateRoomDocument, { input: { roomId, name: 'Cem’s' } });
    await leave(cem, roomId);
    assert.deepEqual(await rolesIn(bob, roomId), ['Bob OWNER']);
  });

  it('as the owner makes the first of memberIds the owner among the initial members', async () => {
    const roomId = await ada.createRoom({ memberIds: [cem.userId, bob.userId] });
    await leave(ada, roomId);
    assert.deepEqual(await rolesIn(bob, roomId), ['Cem OWNER', 'Bob MEMBER']);
  });

  it('as a plain member does not change the owner', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId, cem.userId] });
    await leave(bob, roomId);
    assert.deepEqual(await rolesIn(ada, roomId), ['Ada OWNER', 'Cem MEMBER']);
  });

  it('as the last member deletes a PRIVATE room, but not an OPEN one', async () => {
    const closed = await ada.createRoom({ kind: 'PRIVATE' });
    const open = await ada.createRoom();
    await Promise.all([leave(ada, closed), leave(ada, open)]);
    assert.deepEqual(await logOf(server, closed), [...leaving, 'RoomDeleted']);
    assert.deepEqual(await logOf(server, open), leaving);
    assert.equal((await ada.must(gql.RoomDocument, { id: closed })).room, null);
    assert.equal((await ada.must(gql.RoomDocument, { id: open })).room?.memberCount, 0);
  });

  it('concurrently by all members deletes a PRIVATE room, and leaves an OPEN one without members', async () => {
    const everyone = [ada, bob, cem];
    const memberIds = [bob.userId, cem.userId];
    const [closed, open] = await Promise.all([ada.createRoom({ kind: 'PRIVATE', memberIds }), ada.createRoom({ memberIds })]);
    await Promise.all(everyone.flatMap((guest) => [leave(guest, closed), leave(guest, open)]));
    assert.deepEqual(await logOf(server, closed), [...leaving, ...leaving, ...leaving, 'RoomDeleted']);
    assert.deepEqual(await logOf(server, open), [...leaving, ...leaving, ...leaving]);
  });
});

describe('being removed', () => {
  it('writes the same entries as leaving, and is NOT_FOUND the second time', async () => {
    const roomId = await ada.createRoom({ memberIds: [bob.userId] });
    assert.deepEqual(await remove(roomId, bob.userId), { removedUserId: bob.userId, room: { id: roomId, memberCount: 1 } });
    assert.deepEqual(await logOf(server, roomId), leaving);
    await writesNothing(async () => {
      const { errors } = await ada.ask(gql.RemoveMemberDocument, { roomId, userId: bob.userId });
      assert.deepEqual([errors?.[0]?.extensions.code, errors?.[0]?.extensions.field], ['NOT_FOUND', 'userId']);
    });
  });

  it('can be followed by being added again', async () => {
    const roomId = await ada.createRoom({ kind: 'PRIVATE', memberIds: [bob.userId] });
    await bob.send(roomId, 'before');
    await remove(roomId, bob.userId);
    assert.equal((await bob.must(gql.RoomDocument, { id: roomId })).room, null);
    await add(roomId, bob.userId);
    await bob.send(roomId, 'after');
    assert.deepEqual(await logOf(server, roomId), ['MessageAdded TALK', ...leaving, ...joining, 'MessageAdded TALK']);
  });
});

describe('the messages of joining and leaving', () => {
  it('are delivered in the order of the log, with their sender', async () => {
    const roomId = await ada.createRoom();
    await using watch = new Watch(ada, gql.RoomEventsDocument, { roomId });
    await watch.take(1);
    await join(bob, roomId);
    const events = (await watch.take(3)).map(({ roomEvents }) => roomEvents);
    assert.deepEqual(
      events.map((event) => event.__typename),
      ['CaughtUp', 'MemberJoined', 'MessageAdded'],
    );
    const [, joined, entered] = events;
    assert.equal(joined?.__typename === 'MemberJoined' && joined.userId, bob.userId);
    assert.equal(joined?.__typename === 'MemberJoined' && joined.membership?.role, 'MEMBER');
    assert.equal(entered?.__typename === 'MessageAdded' && entered.message.kind, 'ENTER');
    await leave(bob, roomId);
    const left = (await watch.take(5)).map(({ roomEvents }) => roomEvents).slice(3);
    assert.equal(left[0]?.__typename === 'MessageAdded' && left[0].message.kind, 'LEAVE');
    assert.equal(left[1]?.__typename === 'MemberLeft' && left[1].userId, bob.userId);
  });
});
