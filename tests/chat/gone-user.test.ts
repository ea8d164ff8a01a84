// Changes by and for users whose row an operator has deleted.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { addMember, joinRoom, removeMember } from '../../src/chat/members.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/chat/messages.ts';
import { createRoom, deleteRoom, openDirectRoom, updateRoom } from '../../src/chat/rooms.ts';
import { createGuest } from '../../src/storage/users.ts';
import { storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, type TestStorage } from '../support/storage.ts';

const accountGone = { code: 'UNAUTHENTICATED', message: 'The account is gone: sign in again.' };

for (const name of storages) {
  describe(`a user whose row was deleted, on ${name}`, () => {
    let opened: TestStorage;
    let chat: Chat;
    before(async () => {
      opened = await openTestStorage(name);
      chat = chatOn(opened.db);
    });
    after(() => opened[Symbol.asyncDispose]());

    async function deleteUser(userId: string): Promise<void> {
      await opened.db.deleteFrom('users').where('id', '=', userId).execute();
    }

    it('gets UNAUTHENTICATED for a send, a join, a room and a direct room of their own', async () => {
      const { roomId } = await createOwnedRoom(chat);
      const { id: goneId } = await createGuest(opened.db, 'Gone');
      const { id: otherId } = await createGuest(opened.db, 'Other');
      await joinRoom(chat, goneId, roomId);
      await deleteUser(goneId);
      await assert.rejects(sendMessage(chat, goneId, { roomId, body: 'Hello' }), accountGone);
      await assert.rejects(joinRoom(chat, goneId, roomId), accountGone);
      await assert.rejects(createRoom(chat, goneId, { kind: 'OPEN', name: 'Room', memberIds: [] }), accountGone);
      await assert.rejects(openDirectRoom(chat, goneId, otherId, null), accountGone);
    });

    it('gets UNAUTHENTICATED for each change of a room or message that was theirs', async () => {
      const { roomId, userId: goneId } = await createOwnedRoom(chat);
      const { id: otherId } = await createGuest(opened.db, 'Other');
      await joinRoom(chat, otherId, roomId);
      const { message } = await sendMessage(chat, goneId, { roomId, body: 'Hello' });
      await deleteUser(goneId);
      await assert.rejects(addMember(chat, goneId, roomId, otherId), accountGone);
      await assert.rejects(removeMember(chat, goneId, roomId, otherId), accountGone);
      await assert.rejects(updateRoom(chat, goneId, roomId, { name: 'New' }), accountGone);
      await assert.rejects(deleteRoom(chat, goneId, roomId), accountGone);
      await assert.rejects(editMessage(chat, goneId, message.id, 'new'), accountGone);
      await assert.rejects(deleteMessage(chat, goneId, message.id), accountGone);
    });

    it('gets UNAUTHENTICATED for a send whose foreign key fails', async () => {
      const { roomId } = await createOwnedRoom(chat);
      const { id: goneId } = await createGuest(opened.db, 'Gone');
      await joinRoom(chat, goneId, roomId);
      // The membership still exists, as in a statement whose snapshot is older than the deletion.
      await opened.db.transaction().execute(async (trx) => {
        await sql`set local session_replication_role = replica`.execute(trx);
        await trx.deleteFrom('users').where('id', '=', goneId).execute();
      });
      await assert.rejects(sendMessage(chat, goneId, { roomId, body: 'Hello' }), accountGone);
    });

    it('is NOT_FOUND for others who add them', async () => {
      const { userId, roomId } = await createOwnedRoom(chat);
      const { id: goneId } = await createGuest(opened.db, 'Gone');
      await deleteUser(goneId);
      const notFound = (field: string) => ({ code: 'NOT_FOUND', field });
      await assert.rejects(addMember(chat, userId, roomId, goneId), notFound('userId'));
      await assert.rejects(createRoom(chat, userId, { kind: 'OPEN', name: 'Room', memberIds: [goneId] }), notFound('memberIds'));
      await assert.rejects(openDirectRoom(chat, userId, goneId, null), notFound('userId'));
    });
  });
}
