import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as gql from '../gql/graphql.ts';
import { Guest, startServer, storages } from '../support/server.ts';
import { everythingIn, logOf } from '../support/stored.ts';

// All suites are registered together after the setup, because the runner ends a file when every known test has ended.
const suites: (() => void)[] = [];
for (const storage of storages) {
  const server = await startServer({ storage });
  after(() => server[Symbol.asyncDispose]());
  const ada = await Guest.signIn(server.url, 'Ada');
  const bob = await Guest.signIn(server.url, 'Bob');

  const newKey = () => crypto.randomUUID();
  const edit = async (guest: Guest, messageId: string, body: string) =>
    (await guest.must(gql.EditMessageDocument, { messageId, body })).editMessage?.message;
  const remove = async (guest: Guest, messageId: string) =>
    (await guest.must(gql.DeleteMessageDocument, { messageId })).deleteMessage?.message;
  const messagesIn = async (guest: Guest, id: string) =>
    (await guest.must(gql.MessagesDocument, { id, first: 100 })).room?.messages.edges.map(({ node }) => node) ?? [];
  /** The code and field of the error of a refused send. Checks that the send wrote nothing. */
  const refusalOf = async (guest: Guest, input: gql.SendMessageInput) => {
    const before = await everythingIn(server);
    const { errors } = await guest.ask(gql.SendMessageDocument, { input });
    assert.deepEqual(await everythingIn(server), before);
    return [errors?.[0]?.extensions.code, errors?.[0]?.extensions.field];
  };

  suites.push(() => {
    describe(`a message on ${storage}`, () => {
      it('has its sender and times from the server', async () => {
        const roomId = await ada.createRoom();
        const started = Date.now();
        const { message } = await ada.send(roomId, 'hello', 'my key');
        const [stored] = await messagesIn(ada, roomId);
        assert.deepEqual(stored, {
          id: message.id,
          number: 1,
          cursor: message.cursor,
          kind: 'TALK',
          body: 'hello',
          createdAt: message.createdAt,
          editedAt: null,
          deletedAt: null,
          deletionReason: null,
          clientMessageId: 'my key',
          sender: { id: ada.userId },
        });
        assert.ok(Math.abs(Date.parse(message.createdAt) - started) < 10_000);
        assert.equal((await ada.must(gql.RoomDocument, { id: roomId })).room?.lastActiveAt, message.createdAt);
      });

      it('that is edited changes only its body and editedAt', async () => {
        const roomId = await ada.createRoom();
        const { message } = await ada.send(roomId, 'first');
        const [before] = await messagesIn(ada, roomId);
        const edited = await edit(ada, message.id, 'second');
        assert.ok(Date.parse(edited?.editedAt as string) >= Date.parse(message.createdAt));
        assert.deepEqual(edited, { ...before, body: 'second', editedAt: edited?.editedAt });
        const again = await edit(ada, message.id, 'third');
        assert.ok((again?.editedAt as string) >= (edited?.editedAt as string));
        assert.deepEqual(await messagesIn(ada, roomId), [again]);
        assert.deepEqual(await logOf(server, roomId), ['MessageAdded TALK', 'MessageEdited TALK', 'MessageEdited TALK']);
      });

      it('that is edited to the same body stays unchanged', async () => {
        const roomId = await ada.createRoom();
        const { message } = await ada.send(roomId, 'same');
        const before = await everythingIn(server);
        assert.equal((await edit(ada, message.id, 'same'))?.editedAt, null);
        assert.deepEqual(await everythingIn(server), before);
      });

      for (const [reason, by] of [
        ['BY_SENDER', bob],
        ['BY_OWNER', ada],
      ] as const) {
        it(`that is deleted ${reason} is a tombstone with that reason, and deleting it again changes nothing`, async () => {
          const roomId = await ada.createRoom({ memberIds: [bob.userId] });
          const { message } = await bob.send(roomId, 'regretted', newKey());
          const edited = await edit(bob, message.id, 'regretted still');
          const tombstone = await remove(by, message.id);
          assert.ok((tombstone?.deletedAt as string) >= (edited?.editedAt as string));
          assert.deepEqual(tombstone, { ...edited, body: null, deletedAt: tombstone?.deletedAt, deletionReason: reason });
          assert.deepEqual(await messagesIn(ada, roomId), [tombstone]);
          const before = await everythingIn(server);
          assert.deepEqual(await remove(ada, message.id), tombstone);
          assert.deepEqual(await remove(bob, message.id), tombstone);
          assert.equal(
            (await bob.ask(gql.EditMessageDocument, { messageId: message.id, body: 'x' })).errors?.[0]?.extensions.code,
            'CONFLICT',
          );
          assert.deepEqual(await everythingIn(server), before);
          assert.deepEqual(await logOf(server, roomId), ['MessageAdded TALK', 'MessageEdited TALK', 'MessageDeleted TALK']);
          assert.equal(JSON.stringify(before).includes('regretted'), false);
        });
      }

      it('of the owner that the owner deletes is deleted BY_SENDER', async () => {
        const roomId = await ada.createRoom();
        const { message } = await ada.send(roomId, 'mine');
        assert.equal((await remove(ada, message.id))?.deletionReason, 'BY_SENDER');
      });

      it('of kind ENTER can be edited by nobody, and deleted only by the owner', async () => {
        const roomId = await ada.createRoom();
        await bob.must(gql.JoinRoomDocument, { roomId });
        const [entered] = await messagesIn(ada, roomId);
        const messageId = entered?.id as string;
        for (const guest of [ada, bob]) {
          assert.equal((await guest.ask(gql.EditMessageDocument, { messageId, body: 'x' })).errors?.[0]?.extensions.code, 'FORBIDDEN');
        }
        assert.equal((await bob.ask(gql.DeleteMessageDocument, { messageId })).errors?.[0]?.extensions.code, 'FORBIDDEN');
        assert.equal((await remove(ada, messageId))?.deletionReason, 'BY_OWNER');
      });

      it('of an OPEN room can be deleted, but not edited, by a sender who has left', async () => {
        const roomId = await ada.createRoom({ memberIds: [bob.userId] });
        const { message } = await bob.send(roomId, 'x');
        await bob.must(gql.LeaveRoomDocument, { roomId });
        const { errors } = await bob.ask(gql.EditMessageDocument, { messageId: message.id, body: 'y' });
        assert.equal(errors?.[0]?.extensions.code, 'FORBIDDEN');
        assert.equal((await remove(bob, message.id))?.deletionReason, 'BY_SENDER');
      });

      it('that is deleted is no longer lastMessage', async () => {
        const roomId = await ada.createRoom();
        const [first, second] = [await ada.send(roomId, '1'), await ada.send(roomId, '2')];
        const last = async () => (await ada.must(gql.RoomDocument, { id: roomId })).room?.lastMessage?.id;
        assert.equal(await last(), second.message.id);
        await remove(ada, second.message.id);
        assert.equal(await last(), first.message.id);
        await remove(ada, first.message.id);
        assert.equal(await last(), undefined);
      });
    });

    describe(`a clientMessageId on ${storage}`, () => {
      it('that is sent again returns the first message and writes nothing', async () => {
        const roomId = await ada.createRoom();
        const key = newKey();
        const first = await ada.send(roomId, 'once', key);
        const before = await everythingIn(server);
        assert.deepEqual(await ada.send(roomId, 'once', key), { ...first, deduplicated: true });
        assert.deepEqual(await everythingIn(server), before);
        assert.equal((await ada.send(roomId, 'next')).message.number, 2);
      });

      it('that is sent 50 times concurrently gives one message, and no gap in the numbers', async () => {
        const roomId = await ada.createRoom();
        const key = newKey();
        const others = Promise.all(Array.from({ length: 10 }, (_, i) => ada.send(roomId, `other ${i}`)));
        const sent = await Promise.all(Array.from({ length: 50 }, () => ada.send(roomId, 'once', key)));
        await others;
        assert.equal(new Set(sent.map(({ message }) => message.id)).size, 1);
        assert.equal(sent.filter(({ deduplicated }) => !deduplicated).length, 1);
        const numbers = (await messagesIn(ada, roomId)).map(({ number }) => number);
        assert.deepEqual(
          numbers,
          Array.from({ length: 11 }, (_, i) => i + 1),
        );
        assert.equal((await logOf(server, roomId)).length, 11);
      });

      it('that is sent concurrently to two rooms is written to one of them, and is CONFLICT in the other', async () => {
        const rooms = [await ada.createRoom(), await ada.createRoom()];
        for (let round = 0; round < 5; round += 1) {
          const key = newKey();
          const answers = await Promise.all(
            Array.from({ length: 10 }, (_, i) =>
              ada.ask(gql.SendMessageDocument, { input: { roomId: rooms[i % 2] as string, body: 'once', clientMessageId: key } }),
            ),
          );
          const ids = answers.flatMap(({ data }) => data?.sendMessage?.message.id ?? []);
          assert.equal(new Set(ids).size, 1);
          assert.equal(ids.length, 5);
          assert.equal(answers.filter(({ errors }) => errors?.[0]?.extensions.code === 'CONFLICT').length, 5);
        }
        const kept = await Promise.all(rooms.map((roomId) => messagesIn(ada, roomId)));
        assert.equal(kept.flat().length, 5);
        for (const messages of kept) {
          assert.deepEqual(
            messages.map(({ number }) => number),
            messages.map((_, i) => i + 1),
          );
        }
      });

      it('with another body or room is CONFLICT', async () => {
        const [roomId, other] = [await ada.createRoom(), await ada.createRoom()];
        const clientMessageId = newKey();
        await ada.send(roomId, 'once', clientMessageId);
        const conflict = ['CONFLICT', 'clientMessageId'];
        assert.deepEqual(await refusalOf(ada, { roomId, body: 'once ', clientMessageId }), conflict);
        assert.deepEqual(await refusalOf(ada, { roomId: other, body: 'once', clientMessageId }), conflict);
      });

      it('is compared with the body that was first sent, not with a later edit', async () => {
        const roomId = await ada.createRoom();
        const clientMessageId = newKey();
        const { message } = await ada.send(roomId, 'first', clientMessageId);
        await edit(ada, message.id, 'edited');
        const retry = await ada.send(roomId, 'first', clientMessageId);
        assert.deepEqual([retry.deduplicated, retry.message.id, retry.message.body], [true, message.id, 'edited']);
        assert.deepEqual(await refusalOf(ada, { roomId, body: 'edited', clientMessageId }), ['CONFLICT', 'clientMessageId']);
        await remove(ada, message.id);
        const late = await ada.send(roomId, 'first', clientMessageId);
        assert.deepEqual([late.deduplicated, late.message.id, late.message.body], [true, message.id, null]);
      });

      it('may be used by another sender', async () => {
        const roomId = await ada.createRoom({ memberIds: [bob.userId] });
        const key = newKey();
        const sent = [await ada.send(roomId, 'x', key), await bob.send(roomId, 'y', key)];
        assert.deepEqual(
          sent.map(({ deduplicated, message }) => [deduplicated, message.number]),
          [
            [false, 1],
            [false, 2],
          ],
        );
      });

      it('is compared exactly', async () => {
        const roomId = await ada.createRoom();
        const key = newKey();
        for (const other of [key, key.toUpperCase(), ` ${key}`, `${key}é`, `${key}e\u0301`]) {
          assert.equal((await ada.send(roomId, 'x', other)).deduplicated, false, JSON.stringify(other));
        }
      });

      for (const kind of ['OPEN', 'PRIVATE'] as const) {
        it(`finds its message after the sender was removed from a room that is ${kind}`, async () => {
          const roomId = await ada.createRoom({ kind, memberIds: [bob.userId] });
          const clientMessageId = newKey();
          const first = await bob.send(roomId, 'once', clientMessageId);
          await ada.must(gql.RemoveMemberDocument, { roomId, userId: bob.userId });
          const before = await everythingIn(server);
          assert.deepEqual(await bob.send(roomId, 'once', clientMessageId), { ...first, deduplicated: true });
          assert.deepEqual(await everythingIn(server), before);
          assert.deepEqual(await refusalOf(bob, { roomId, body: 'other', clientMessageId }), ['CONFLICT', 'clientMessageId']);
          const code = kind === 'OPEN' ? 'FORBIDDEN' : 'NOT_FOUND';
          assert.equal((await refusalOf(bob, { roomId, body: 'once', clientMessageId: newKey() }))[0], code);
        });
      }

      it('finds its message after the room was deleted', async () => {
        const roomId = await ada.createRoom();
        const key = newKey();
        const first = await ada.send(roomId, 'once', key);
        await ada.must(gql.DeleteRoomDocument, { roomId });
        assert.deepEqual(await ada.send(roomId, 'once', key), { ...first, deduplicated: true });
      });

      it('of a refused send may be used again', async () => {
        const roomId = await ada.createRoom();
        const clientMessageId = newKey();
        assert.equal((await refusalOf(bob, { roomId, body: 'x', clientMessageId }))[0], 'FORBIDDEN');
        await bob.must(gql.JoinRoomDocument, { roomId });
        assert.equal((await bob.send(roomId, 'x', clientMessageId)).deduplicated, false);
      });
    });
  });
}
for (const suite of suites) suite();
