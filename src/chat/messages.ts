// Sending, editing and deleting.

import { conflict, forbidden, notFound } from '../errors.ts';
import { addMessage, changeMessage, findMessages, findSent, hashOf } from '../storage/messages.ts';
import type { LockedRoom } from '../storage/room-log.ts';
import type { MessageRow } from '../storage/tables.ts';
import { joinFirst, requireMember, requireSeen } from './access.ts';
import { type Chat, changeRoom } from './chat.ts';

export interface Sending {
  readonly roomId: string;
  readonly body: string;
  /** Idempotency key, unique per sender. */
  readonly clientMessageId?: string | null | undefined;
}

/** Sends a message, or finds it where its key was sent before. Throws CONFLICT for a key with another room or body. */
export async function sendMessage(chat: Chat, viewerId: string, sending: Sending): Promise<{ message: MessageRow; deduplicated: boolean }> {
  const { roomId, body } = sending;
  const clientMessageId = sending.clientMessageId ?? undefined;
  return changeRoom(chat, roomId, async (room, trx) => {
    const earlier = async () => {
      const sent = clientMessageId === undefined ? undefined : await findSent(trx, viewerId, clientMessageId);
      return sent && { message: requireSame(sent, sending), deduplicated: true };
    };
    // The key goes first: a retry finds its message also when its sender has lost the right to the room since.
    const found = await earlier();
    if (found) return found;
    await requireMember(room, viewerId);
    const message = await addMessage(room as LockedRoom, { kind: 'TALK', senderId: viewerId, body, clientMessageId });
    if (message) return { message, deduplicated: false };
    // Another room's transaction has used the key between the look and the write, and is committed by now.
    return (await earlier()) ?? Promise.reject(new Error('A clientMessageId was taken by nobody.'));
  });
}

// By what was first sent: a message that was edited since is still the one that the retry means.
function requireSame(sent: MessageRow, sending: Sending): MessageRow {
  if (sent.roomId === sending.roomId && sent.sentHash === hashOf(sending.body)) return sent;
  throw conflict('This clientMessageId was used for another message: take a new one.', 'clientMessageId');
}

/** Throws FORBIDDEN unless the viewer sent it, as a TALK message, and is still a member; CONFLICT once it is deleted. */
export async function editMessage(chat: Chat, viewerId: string, messageId: string, body: string): Promise<MessageRow> {
  return changeFound(chat, messageId, async (room, message) => {
    const { membership } = await requireSeen(room, viewerId, noSuchMessage);
    if (message.senderId !== viewerId || message.kind !== 'TALK') throw forbidden('Only its sender may edit a message.');
    if (membership === undefined) throw forbidden(joinFirst);
    if (message.deletedAt !== null) throw conflict('The message is deleted.', 'messageId');
    if (message.body === body) return message;
    return changeMessage(room, messageId, 'MessageEdited', { body });
  });
}

/** Leaves a tombstone; deleting that again changes nothing. Throws FORBIDDEN for others than the sender and the room's owner. */
export async function deleteMessage(chat: Chat, viewerId: string, messageId: string): Promise<MessageRow> {
  return changeFound(chat, messageId, async (room, message) => {
    const { membership } = await requireSeen(room, viewerId, noSuchMessage);
    const own = message.senderId === viewerId && message.kind === 'TALK';
    if (!own && membership?.role !== 'OWNER') throw forbidden('Only its sender or the owner of the room may delete a message.');
    if (message.deletedAt !== null) return message;
    return changeMessage(room, messageId, 'MessageDeleted', { body: null, deletionReason: own ? 'BY_SENDER' : 'BY_OWNER' });
  });
}

async function changeFound(
  chat: Chat,
  messageId: string,
  work: (room: LockedRoom, message: MessageRow) => Promise<MessageRow>,
): Promise<MessageRow> {
  const [found] = await findMessages(chat.db, [messageId]);
  if (!found) throw noSuchMessage();
  return changeRoom(chat, found.roomId, async (room, trx) => {
    // Read again under the lock: it may have changed, or gone, in between.
    const [message] = await findMessages(trx, [messageId]);
    if (!room || !message || message.seq <= room.row.floorSeq) throw noSuchMessage();
    return work(room, message);
  });
}

const noSuchMessage = () => notFound('There is no such message.', 'messageId');
