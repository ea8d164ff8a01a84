// Sending, editing and deleting.

import { conflict, forbidden, notFound } from '../errors.ts';
import { findMembersAmong } from '../storage/members.ts';
import { addMessages, changeMessage, findMessages, findSent, hashOf, isKeyTaken, type NewMessage } from '../storage/messages.ts';
import type { LockedRoom } from '../storage/room-log.ts';
import type { MessageRow, Trx } from '../storage/tables.ts';
import { isUnavailable } from '../storage/unavailable.ts';
import { joinFirst, requireMember, requireSeen } from './access.ts';
import { type Chat, changeRoom, inRoom } from './chat.ts';

export interface Sending {
  readonly roomId: string;
  readonly body: string;
  /** Idempotency key, unique per sender. */
  readonly clientMessageId?: string | null | undefined;
}

export interface Sent {
  readonly message: MessageRow;
  /** The key was sent before: nothing new was written. */
  readonly deduplicated: boolean;
}

interface OwnSending extends Sending {
  readonly senderId: string;
}

type Outcomes = PromiseSettledResult<Sent>[];

/** Sends a message, or finds it where its key was sent before. Throws CONFLICT for a key with another room or body. */
export async function sendMessage(chat: Chat, senderId: string, sending: Sending): Promise<Sent> {
  const { roomId } = sending;
  return chat.queue.runTogether(roomId, { ...sending, senderId }, (sendings: OwnSending[]) => sendAll(chat, roomId, sendings));
}

/** Sends to one room, in this order and in one transaction. Each has an outcome of its own. */
async function sendAll(chat: Chat, roomId: string, sendings: readonly OwnSending[]): Promise<Outcomes> {
  try {
    return await inRoom(chat, roomId, (room, trx) => sendInto(room, trx, sendings));
  } catch (error) {
    // Another room's transaction has used a key between the look and the write, and is committed by now.
    if (isKeyTaken(error)) return sendAll(chat, roomId, sendings);
    if (sendings.length === 1 || isUnavailable(error)) return sendings.map(() => ({ status: 'rejected', reason: error }));
    // None is written, for what is wrong with one: sent one at a time, that one fails alone.
    const outcomes: Outcomes = [];
    for (const sending of sendings) outcomes.push(...(await sendAll(chat, roomId, [sending])));
    return outcomes;
  }
}

/**
 * 1. The keys go first: a retry finds its message also when its sender has lost the right to the room since.
 * 2. What is new is written, if its sender may; a key that comes twice here is new once.
 * 3. What is not new is answered with what was sent first.
 */
async function sendInto(room: LockedRoom | undefined, trx: Trx, sendings: readonly OwnSending[]): Promise<Outcomes> {
  const [{ roomId }] = sendings as [OwnSending];
  const keys = sendings.flatMap(({ senderId, clientMessageId }) => (clientMessageId == null ? [] : [{ senderId, clientMessageId }]));
  const sent = new Map<unknown, MessageRow>((await findSent(trx, keys)).map((message) => [keyOf(message), message])); // 1
  const senderIds = [...new Set(sendings.map(({ senderId }) => senderId))];
  const members = new Map((await findMembersAmong(trx, roomId, senderIds)).map((membership) => [membership.userId, membership]));

  const fresh = new Map<unknown, OwnSending>(); // 2
  const refused = new Map<OwnSending, unknown>();
  for (const sending of sendings) {
    const key = keyOf(sending);
    if (sent.has(key) || fresh.has(key)) continue;
    try {
      requireMember(room, members.get(sending.senderId));
      fresh.set(key, sending);
    } catch (error) {
      refused.set(sending, error);
    }
  }
  const rows = fresh.size === 0 ? [] : await addMessages(room as LockedRoom, [...fresh.values()].map(toMessage));
  for (const [index, key] of [...fresh.keys()].entries()) sent.set(key, rows[index] as MessageRow);

  return Promise.allSettled(
    sendings.map(async (sending) => {
      if (refused.has(sending)) throw refused.get(sending);
      const key = keyOf(sending);
      const message = sent.get(key) as MessageRow;
      if (fresh.get(key) === sending) return { message, deduplicated: false };
      return { message: requireSame(message, sending), deduplicated: true }; // 3
    }),
  );
}

/** A sending without a key is like no other. */
const keyOf = (sending: { senderId: string | null; clientMessageId?: string | null | undefined }) =>
  sending.clientMessageId == null ? sending : `${sending.senderId} ${sending.clientMessageId}`;

const toMessage = ({ senderId, body, clientMessageId }: OwnSending): NewMessage => ({
  kind: 'TALK',
  senderId,
  body,
  clientMessageId: clientMessageId ?? undefined,
});

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
