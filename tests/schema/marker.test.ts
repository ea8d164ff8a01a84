// Read markers and unread counts through the API: what each mutation answers, which errors it has, and who sees what.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { encodeListCursor } from '../../src/storage/cursor.ts';
import * as gql from '../gql/graphql.ts';
import { ask, Guest, type Server, startServer, storages } from '../support/server.ts';
import { range } from '../support/storage.ts';
import { Watch } from '../support/watch.ts';

const marker = 'readThrough readTalkCount readCursor readVersion unreadCount seenThrough notificationLevel mutedUntil';
const markRoomRead = `mutation ($input: MarkRoomReadInput!) { markRoomRead(input: $input) { membership { ${marker} } } }`;
const markRoomUnread = `mutation ($input: MarkRoomUnreadInput!) { markRoomUnread(input: $input) { membership { ${marker} } } }`;
const markAllRead = 'mutation { markAllRead { unread { rooms messages } } }';
const updateMembership = `mutation ($input: UpdateMembershipInput!) { updateMembership(input: $input) { membership { ${marker} } } }`;
const updateViewer = `mutation ($input: UpdateViewerInput!) {
  updateViewer(input: $input) { viewer { sharesReceipts user { name avatarUrl } } } }`;
const sendMessage = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id cursor } edge { cursor node { id body } } } }`;
const account = `{ viewer { unread { rooms messages } }
  rooms(filter: { unread: true }) { nodes { id talkCount revision viewerMembership { unreadCount } } } }`;
const membershipIn = `query ($id: ID!) { room(id: $id) { talkCount revision viewerMembership { id ${marker} } } }`;

for (const storage of storages) {
  describe(`read markers in the API on ${storage}`, () => {
    let server: Server;
    let ada: Guest;
    let bob: Guest;
    let eve: Guest;
    before(async () => {
      server = await startServer({ storage, env: { RETENTION_DAYS: '30' } });
      ada = await Guest.signIn(server.url, 'Ada');
      bob = await Guest.signIn(server.url, 'Bob');
      eve = await Guest.signIn(server.url, 'Eve');
    });
    after(() => server[Symbol.asyncDispose]());

    // biome-ignore lint/suspicious/noExplicitAny: the documents are plain strings
    const must = (guest: Guest, document: string, variables: object = {}): Promise<any> => guest.must<any, any>(document, variables);
    const room = async (count: number, kind: gql.RoomKind = 'OPEN') => {
      const roomId = await ada.createRoom({ kind, memberIds: [bob.userId] });
      const sent = [];
      for (const i of range(1, count)) sent.push((await ada.send(roomId, `message ${i}`)).message);
      return { roomId, sent };
    };
    const read = async (guest: Guest, roomId: string, upTo: string, readVersion?: number | null) =>
      (await must(guest, markRoomRead, { input: { roomId, upTo, readVersion } })).markRoomRead.membership;
    const refusal = async (guest: Guest, roomId: string, upTo: string) => guest.refusal(markRoomRead, { input: { roomId, upTo } });
    const settled = () => server.app.senderMarkers.flush();

    it('are of one snapshot with the room in which they were counted, while others send and the marker moves', async () => {
      const { roomId, sent } = await room(1);
      const document = `query ($id: ID!) { room(id: $id) {
        viewerMembership { unreadCount readThrough readTalkCount room { revision talkCount lastMessage { number } } } } }`;
      let isOver = false;
      const send = async () => {
        for (let upTo = sent[0]?.cursor; !isOver; ) {
          for (const _ of range(1, 3)) upTo = (await ada.send(roomId, 'more')).message.cursor;
          await read(bob, roomId, upTo as string);
        }
      };
      const sending = Promise.all([send(), send(), send()]);
      const states: string[] = [];
      for (const _ of range(1, 60)) {
        const { unreadCount, readTalkCount, room: counted } = (await must(bob, document, { id: roomId })).room.viewerMembership;
        states.push(`${unreadCount} ${counted.talkCount - readTalkCount}`);
      }
      isOver = true;
      await sending;
      assert.deepEqual(
        states.filter((state) => new Set(state.split(' ')).size > 1),
        [],
      );
    });

    it('start at the head for a new member, and count what comes after', async () => {
      const { roomId, sent } = await room(3);
      await must(eve, 'mutation ($id: ID!) { joinRoom(input: { roomId: $id }) { membership { id } } }', { id: roomId });
      const joined = (await must(eve, membershipIn, { id: roomId })).room;
      assert.equal(joined.talkCount, 3);
      assert.equal(joined.revision, 5);
      assert.equal(joined.viewerMembership.readThrough, 4);
      assert.equal(joined.viewerMembership.readTalkCount, 3);
      assert.equal(joined.viewerMembership.unreadCount, 0);
      assert.equal(joined.viewerMembership.notificationLevel, 'ALL');
      assert.equal(joined.viewerMembership.mutedUntil, null);
      const own = (await must(bob, membershipIn, { id: roomId })).room.viewerMembership;
      assert.deepEqual([own.readThrough, own.unreadCount], [0, 3]);
      const after = await must(
        bob,
        'query ($id: ID!, $after: String) { room(id: $id) { messages(first: 50, after: $after) { nodes { id } } } }',
        {
          id: roomId,
          after: own.readCursor,
        },
      );
      assert.deepEqual(
        after.room.messages.nodes.slice(0, 3).map(({ id }: { id: string }) => id),
        sent.map(({ id }) => id),
        'readCursor is where the unread begins',
      );
    });

    it('move forward, and not back, however late a read arrives', async () => {
      const { roomId, sent } = await room(5);
      const [, second, , fourth] = sent;
      const there = await read(bob, roomId, fourth?.cursor as string);
      assert.deepEqual([there.readThrough, there.readTalkCount, there.unreadCount, there.seenThrough], [4, 4, 1, 4]);
      assert.equal(there.readCursor, fourth?.cursor);
      for (const late of [second, fourth]) assert.deepEqual(await read(bob, roomId, late?.cursor as string), there);
      const { room: view } = await bob.must(gql.RoomViewDocument, { id: roomId });
      const all = await read(bob, roomId, view?.messages.syncCursor as string);
      assert.deepEqual([all.readThrough, all.unreadCount], [5, 0]);
    });

    it('move back to just before a message, and a read that was under way does not undo it', async () => {
      const { roomId, sent } = await room(5);
      const last = sent[4]?.cursor as string;
      const { readVersion } = await read(bob, roomId, last);
      const { markRoomUnread: unread } = await must(bob, markRoomUnread, { input: { messageId: sent[1]?.id } });
      assert.deepEqual([unread.membership.readThrough, unread.membership.unreadCount, unread.membership.seenThrough], [1, 4, 5]);
      assert.equal(unread.membership.readVersion, readVersion + 1);
      assert.deepEqual(await read(bob, roomId, last, readVersion), unread.membership);
      assert.equal((await read(bob, roomId, last, unread.membership.readVersion)).unreadCount, 0);
    });

    it('of a sender follow the message, unless marksRead is false', async () => {
      const { roomId } = await room(3);
      const send = (marksRead?: boolean) =>
        must(bob, sendMessage, { input: { roomId, body: 'mine', ...(marksRead === undefined ? {} : { marksRead }) } });
      const unread = async () => (await must(bob, membershipIn, { id: roomId })).room.viewerMembership.unreadCount;
      await send(false);
      await settled();
      assert.equal(await unread(), 3);
      const { sendMessage: sent } = await send();
      await settled();
      assert.equal(await unread(), 0);
      assert.deepEqual(sent.edge, { cursor: sent.message.cursor, node: { id: sent.message.id, body: 'mine' } });
    });

    it('of a sender stay where they are if the sender marks a message as unread right after it', async () => {
      const { roomId, sent } = await room(3);
      await bob.send(roomId, 'mine');
      await must(bob, markRoomUnread, { input: { messageId: sent[0]?.id } });
      await settled();
      assert.equal((await must(bob, membershipIn, { id: roomId })).room.viewerMembership.unreadCount, 3);
    });

    it('are refused to who is not a member of such a room: NOT_FOUND', async () => {
      const { roomId, sent } = await room(1, 'PRIVATE');
      const open = await room(1);
      const upTo = sent[0]?.cursor as string;
      const gone = await room(1);
      await ada.must(gql.DeleteRoomDocument, { roomId: gone.roomId });
      assert.equal(await refusal(eve, roomId, upTo), 'NOT_FOUND');
      assert.equal(await refusal(eve, open.roomId, open.sent[0]?.cursor as string), 'NOT_FOUND');
      assert.equal(await refusal(bob, gone.roomId, gone.sent[0]?.cursor as string), 'NOT_FOUND');
      for (const { sent } of [open, gone]) {
        assert.equal(await eve.refusal(markRoomUnread, { input: { messageId: sent[0]?.id } }), 'NOT_FOUND');
      }
      for (const id of [roomId, open.roomId]) {
        assert.equal(await eve.refusal(updateMembership, { input: { roomId: id, notificationLevel: 'NONE' } }), 'NOT_FOUND');
      }
      assert.equal(await bob.refusal(updateMembership, { input: { roomId: gone.roomId, mutedUntil: null } }), 'NOT_FOUND');
    });

    it('refuse a cursor that is malformed or of another room, and one whose position is not kept', async () => {
      const { roomId, sent } = await room(3);
      const other = await room(1);
      const cursor = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
      for (const upTo of ['', 'junk', other.sent[0]?.cursor as string, encodeListCursor('rooms by NAME', { key: 'a', id: roomId })]) {
        assert.equal(await refusal(bob, roomId, upTo), 'CURSOR_INVALID', upTo);
      }
      // Another history: a tag that the log does not have, or a seq beyond its head.
      for (const [seq, tag] of [
        [1, 1],
        [1, 2 ** 31],
        [1000, 1],
        [Number.MAX_SAFE_INTEGER, 1],
      ]) {
        assert.equal(await refusal(bob, roomId, cursor('1', roomId, seq, tag)), 'CURSOR_EXPIRED', `${seq} ${tag}`);
      }
      const { db } = server.app.storage;
      const { floorTag } = await db.selectFrom('rooms').select('floorTag').where('id', '=', roomId).executeTakeFirstOrThrow();
      assert.equal((await read(bob, roomId, cursor('1', roomId, 0, floorTag))).unreadCount, 3, 'the floor is a position');
      await server.app.retention.clean(Date.now() + 365 * 86_400_000);
      assert.equal(await refusal(bob, roomId, sent[1]?.cursor as string), 'CURSOR_EXPIRED');
      assert.equal(await bob.refusal(markRoomUnread, { input: { messageId: sent[1]?.id } }), 'NOT_FOUND');
      assert.equal((await must(bob, membershipIn, { id: roomId })).room.viewerMembership.unreadCount, 0);
    });

    it('are seen by their member alone, and seenThrough by all who share it', async () => {
      const { roomId, sent } = await room(2);
      await read(bob, roomId, sent[1]?.cursor as string);
      const members = `query ($id: ID!) { room(id: $id) { members { nodes { user { id } ${marker} } } } }`;
      const ofBob = async (guest: Guest) =>
        (await must(guest, members, { id: roomId })).room.members.nodes.find(
          ({ user }: { user: { id: string } }) => user.id === bob.userId,
        );
      const { user, seenThrough, ...others } = await ofBob(ada);
      assert.equal(seenThrough, 2);
      assert.deepEqual(new Set(Object.values(others)), new Set([null]));
      assert.equal((await ofBob(bob)).readThrough, 2);
      await must(bob, updateViewer, { input: { sharesReceipts: false } });
      assert.equal((await ofBob(ada)).seenThrough, null);
      assert.equal((await ofBob(bob)).seenThrough, null, 'the same for every viewer');
      await must(bob, updateViewer, { input: { sharesReceipts: true } });
      const { db } = server.app.storage;
      for (const [memberCount, expected] of [
        [100, 2],
        [101, null],
      ] as const) {
        await db.updateTable('rooms').set({ memberCount }).where('id', '=', roomId).execute();
        assert.equal((await ofBob(ada)).seenThrough, expected, `${memberCount} members`);
      }
    });

    it('of muted rooms count in the room alone', async () => {
      const guest = await Guest.signIn(server.url, 'Muted');
      const loud = await ada.createRoom({ memberIds: [guest.userId] });
      const quiet = await ada.createRoom({ memberIds: [guest.userId] });
      for (const id of [loud, quiet, quiet]) await ada.send(id, 'hello');
      const state = async () => {
        const { viewer, rooms } = await must(guest, account);
        return { ...viewer.unread, ids: rooms.nodes.map(({ id }: { id: string }) => id) };
      };
      assert.deepEqual(await state(), { rooms: 2, messages: 3, ids: [quiet, loud] });
      const mute = async (mutedUntil: string | null) =>
        (await must(guest, updateMembership, { input: { roomId: quiet, mutedUntil } })).updateMembership.membership;
      const muted = await mute('2100-01-01T01:00:00+01:00');
      assert.equal(muted.mutedUntil, '2100-01-01T00:00:00.000Z');
      assert.equal(muted.unreadCount, 2);
      assert.deepEqual(await state(), { rooms: 1, messages: 1, ids: [loud] });
      await mute('2020-01-01T00:00:00Z');
      assert.deepEqual(await state(), { rooms: 2, messages: 3, ids: [quiet, loud] });
      assert.equal((await mute(null)).mutedUntil, null);
      const { notificationLevel, mutedUntil } = (
        await must(guest, updateMembership, { input: { roomId: quiet, notificationLevel: 'MENTIONS' } })
      ).updateMembership.membership;
      assert.deepEqual([notificationLevel, mutedUntil], ['MENTIONS', null]);
      assert.deepEqual((await must(guest, markAllRead)).markAllRead, { unread: { rooms: 0, messages: 0 } });
      assert.deepEqual(await state(), { rooms: 0, messages: 0, ids: [] });
    });

    it('of all rooms are moved by markAllRead, those of muted rooms too', async () => {
      const guest = await Guest.signIn(server.url, 'All');
      const ids = await Promise.all(range(1, 5).map(() => ada.createRoom({ memberIds: [guest.userId] })));
      for (const id of ids) await ada.send(id, 'hello');
      await must(guest, updateMembership, { input: { roomId: ids[0], mutedUntil: '2100-01-01T00:00:00Z' } });
      await must(guest, markAllRead);
      for (const id of ids) {
        const { room: one } = await must(guest, membershipIn, { id });
        assert.deepEqual([one.viewerMembership.unreadCount, one.viewerMembership.readThrough], [0, 1]);
      }
    });

    it('are one statement for the counts of a page, and the totals are one', async () => {
      const guest = await Guest.signIn(server.url, 'Reader');
      for (const _ of range(1, 3)) await ada.send(await ada.createRoom({ memberIds: [guest.userId] }), 'hello');
      const { rooms } = await must(guest, '{ rooms(filter: { joined: true }, first: 50) { nodes { viewerMembership { unreadCount } } } }');
      assert.deepEqual(rooms.nodes, Array(3).fill({ viewerMembership: { unreadCount: 1 } }));
      const names = range(1, 15).map((i) => `u${i}: viewer { unread { messages } }`);
      assert.deepEqual(new Set(Object.values(await must(guest, `{ ${names.join(' ')} }`)).map((each) => JSON.stringify(each))).size, 1);
    });

    it('need a viewer', async () => {
      for (const [document, variables] of [
        [markRoomRead, { input: { roomId: 'room_', upTo: '' } }],
        [markRoomUnread, { input: { messageId: 'message_' } }],
        [markAllRead, {}],
        [updateMembership, { input: { roomId: 'room_' } }],
        [updateViewer, { input: {} }],
      ] as const) {
        // biome-ignore lint/suspicious/noExplicitAny: the documents are plain strings
        const { errors } = await ask<any, any>(server.url, undefined, document, variables);
        assert.equal(errors?.[0]?.extensions.code, 'UNAUTHENTICATED', document);
      }
    });

    it('are kept across a restart, with what follows the last message', async () => {
      const { roomId } = await room(2);
      await bob.send(roomId, 'mine');
      await server.restart();
      assert.equal((await must(bob, membershipIn, { id: roomId })).room.viewerMembership.unreadCount, 0);
    });

    it('leave an event of a message with its edge', async () => {
      const { roomId } = await room(1);
      const client = bob.connect();
      const document =
        'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename ... on MessageAdded { cursor edge { cursor node { body } } } } }';
      await using watch = new Watch(client, document, { roomId });
      await watch.take(1);
      const { message } = await ada.send(roomId, 'live');
      await watch.take(2);
      // biome-ignore lint/suspicious/noExplicitAny: the document is a plain string
      const { edge, cursor } = (watch.results.at(-1) as any).roomEvents;
      assert.deepEqual(edge, { cursor: message.cursor, node: { body: 'live' } });
      assert.equal(cursor, edge.cursor);
      await client.dispose();
    });

    it('do not change what others see of a viewer, which updateViewer does', async () => {
      const guest = await Guest.signIn(server.url, 'Dora');
      const update = async (input: object) => (await must(guest, updateViewer, { input })).updateViewer.viewer;
      assert.deepEqual(await update({ avatarUrl: 'https://example.org/a b.png' }), {
        sharesReceipts: true,
        user: { name: 'Dora', avatarUrl: 'https://example.org/a%20b.png' },
      });
      assert.deepEqual(await update({ name: ' Ｄora\u200b Two ', sharesReceipts: false }), {
        sharesReceipts: false,
        user: { name: 'Dora Two', avatarUrl: 'https://example.org/a%20b.png' },
      });
      assert.deepEqual((await update({ avatarUrl: null })).user, { name: 'Dora Two', avatarUrl: null });
      assert.equal((await update({ name: 'D\u043era Two' })).user.name, 'D\u043era Two', 'the own name is no other one');
      await Guest.signIn(server.url, 'Oscar');
      const { name } = (await update({ name: '\u041escar' })).user;
      assert.match(name, /^\u041escar #[0-9a-z]{4}$/);
      assert.equal((await update({ name: 'Oscar' })).user.name, 'Oscar', 'the same name is nobody’s own');
    });
  });
}

describe('updateViewer with tokens of a host application', () => {
  const secret = 'a secret of at least thirty-two bytes';

  it('refuses a name, which comes from the token, and changes the rest', async () => {
    await using server = await startServer({ env: { JWT_SECRET: secret } });
    const token = await new SignJWT({ sub: 'ada', name: 'Ada' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(Buffer.from(secret));
    const guest = new Guest(server.url, token, '');
    assert.equal(await guest.refusal(updateViewer, { input: { name: 'Bob' } }), 'FORBIDDEN');
    // biome-ignore lint/suspicious/noExplicitAny: the document is a plain string
    const { updateViewer: updated } = await guest.must<any, any>(updateViewer, {
      input: { avatarUrl: 'https://example.org/a.png', sharesReceipts: false },
    });
    assert.deepEqual(updated.viewer, { sharesReceipts: false, user: { name: 'Ada', avatarUrl: 'https://example.org/a.png' } });
  });
});

describe('a viewer who moves markers often', () => {
  it('is refused the sixth move in a second', async () => {
    await using server = await startServer({ env: { RATE_LIMITS: '1' } });
    const ada = await Guest.signIn(server.url);
    const codes = await Promise.all(range(1, 6).map(() => ada.refusal(markAllRead)));
    assert.deepEqual(
      codes.filter((code) => code !== undefined),
      ['RATE_LIMITED'],
    );
  });
});
