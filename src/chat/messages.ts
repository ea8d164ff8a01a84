// Sending, editing and deleting.

import { conflict, forbidden, notFound } from '../errors.ts';
import { changeMessage, findMessages, hashOf, isKeyTaken } from '../storage/messages.ts';
import { type LockedRoom, lockRoom } from '../storage/room-log.ts';
import { type Send, type SendResult, writeSends } from '../storage/sends.ts';
import type { Db, MessageRow } from '../storage/tables.ts';
import { isUnavailable } from '../storage/unavailable.ts';
import { joinFirst, refusalOf, requireSeen } from './access.ts';
import { type Chat, changeRoom, commit, publish } from './chat.ts';
import type { Outcomes } from './lane.ts';

export type Sending = Omit<Send, 'senderId'>;

export interface Sent {
  readonly message: MessageRow;
  /** The key was sent before: nothing new was written. */
  readonly deduplicated: boolean;
}

/** What has come of a send. Undefined where somebody else holds its room. */
type Answer = Sent | undefined;

/**
 * Sends a message, or finds it where its key was sent before. Throws CONFLICT for a key with another room or body.
 *
 * 1. Sends of all rooms go together. One whose room somebody else holds is not waited for there.
 * 2. It waits for the room in the room's own lane, as what comes after it does.
 */
export async function sendMessage(chat: Chat, senderId: string, sending: Sending): Promise<Sent> {
  const { roomId, body } = sending;
  const send = { ...sending, senderId };
  const sent = chat.rooms.isBusy(roomId)
    ? undefined
    : await chat.sends.runTogether(send, body.length, (sends: Send[]) => settleAll(sends, (some) => sendAll(chat, some))); // 1
  if (sent) return sent;
  const inRoom = (sends: Send[]) => settleAll(sends, (some) => sendInto(chat, roomId, some));
  return (await chat.rooms.lane(roomId).runTogether(send, body.length, inRoom)) as Sent; // 2
}

/** Sends as one statement, and tells the nodes that watch. */
async function sendAll(chat: Chat, sends: readonly Send[]): Promise<SendResult[]> {
  const results = await writeSends(chat.db, sends);
  publish(chat, entriesOf(results));
  return results;
}

/** Waits for the room that all of them go to, and then sends them as one statement. */
function sendInto(chat: Chat, roomId: string, sends: readonly Send[]): Promise<SendResult[]> {
  return commit(chat, async (trx) => {
    await lockRoom(trx, roomId);
    const result = await writeHeld(trx, sends);
    return { entries: entriesOf(result), result };
  });
}

/** With the room locked, nothing is passed over but what has the key of another of them, which it finds by then. */
async function writeHeld(db: Db, sends: readonly Send[]): Promise<SendResult[]> {
  const results = await writeSends(db, sends);
  const passedOver = sends.filter((_, index) => results[index]?.outcome === 'held');
  if (passedOver.length === 0) return results;
  const found = await writeHeld(db, passedOver);
  return results.map((result) => (result.outcome === 'held' ? (found.shift() as SendResult) : result));
}

const entriesOf = (results: readonly SendResult[]) => results.flatMap((result) => (result.outcome === 'written' ? [result.entry] : []));

/** What comes of each send. Where none is written for what is wrong with one, that one fails alone. */
async function settleAll(sends: readonly Send[], write: (sends: readonly Send[]) => Promise<SendResult[]>): Promise<Outcomes<Answer>> {
  try {
    const results = await write(sends);
    return sends.map((send, index) => answerTo(send, results[index] as SendResult));
  } catch (error) {
    // Another statement has used a key between the look and the write, and is committed by now.
    if (isKeyTaken(error)) return settleAll(sends, write);
    if (sends.length === 1 || isUnavailable(error)) return sends.map(() => ({ status: 'rejected', reason: error }));
    const middle = sends.length >> 1;
    return [...(await settleAll(sends.slice(0, middle), write)), ...(await settleAll(sends.slice(middle), write))];
  }
}

function answerTo(send: Send, result: SendResult): PromiseSettledResult<Answer> {
  switch (result.outcome) {
    case 'written':
      return { status: 'fulfilled', value: { message: result.message, deduplicated: false } };
    case 'known':
      if (isSame(result.message, send)) return { status: 'fulfilled', value: { message: result.message, deduplicated: true } };
      return {
        status: 'rejected',
        reason: conflict('This clientMessageId was used for another message: take a new one.', 'clientMessageId'),
      };
    case 'refused':
      return { status: 'rejected', reason: refusalOf(result) };
    case 'held':
      return { status: 'fulfilled', value: undefined };
  }
}

// By what was first sent: a message that was edited since is still the one that the retry means.
const isSame = (sent: MessageRow, send: Send) => sent.roomId === send.roomId && sent.sentHash === hashOf(send.body);

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
