// Sending, editing and deleting messages.

import { conflict, forbidden } from '../errors.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import type { LockedRoom } from '../storage/locked-room.ts';
import type { Standing } from '../storage/members.ts';
import { changeMessage, findMessages, hashOf, isKeyTaken } from '../storage/messages.ts';
import { lockForSends, type Send, type SendResult, writeSends } from '../storage/sends.ts';
import type { Db, MessageRow } from '../storage/tables.ts';
import { joinFirst, noSuchMessage, refusalOf, requireReadable } from './access.ts';
import { type Chat, changeRoom, commit, publish } from './chat.ts';
import { isOfGoneUser, requireUsers } from './gone-user.ts';
import type { Outcomes } from './lane.ts';

export interface Sending extends Omit<Send, 'senderId'> {
  /** Whether the sender has read everything before the message. True by default. */
  readonly marksRead?: boolean;
}

export interface Sent {
  readonly message: MessageRow;
  /** True if the key was used before. Nothing was written. */
  readonly deduplicated: boolean;
  /** `readVersion` of the sender's marker when the message was written. Undefined if nothing was written. */
  readonly readVersion?: number;
}

/** The answer to a send. Undefined if another transaction holds its room. */
type Answer = Sent | undefined;

/**
 * Sends a message, or finds the one that was sent with the same key. Throws CONFLICT if the key was used for another room
 * or body.
 *
 * 1. Sends to all rooms are written together. A send to a room that another transaction holds is not written there.
 * 2. Such a send waits in the lane of its room, and so do later sends to that room.
 *
 * The sender's read marker follows without being waited for: see sender-markers.ts.
 */
export async function sendMessage(chat: Chat, senderId: string, { marksRead = true, ...sending }: Sending): Promise<Sent> {
  const sent = await requireUsers(chat.rows, senderId, () => send(chat, senderId, sending));
  const { message, readVersion } = sent;
  if (readVersion === undefined) return sent;
  if (marksRead) chat.senderMarkers.raise(message, readVersion);
  else chat.senderMarkers.note(message);
  return sent;
}

async function send(chat: Chat, senderId: string, sending: Omit<Send, 'senderId'>): Promise<Sent> {
  const { roomId, body } = sending;
  const own = { ...sending, senderId };
  const sent = chat.rooms.isBusy(roomId)
    ? undefined
    : await chat.sends.runTogether(senderId, own, body.length, (sends: Send[]) => settleAll(sends, (some) => sendAll(chat, some))); // 1
  if (sent) return sent;
  const inRoom = (sends: Send[]) => settleAll(sends, (some) => sendInto(chat, roomId, some));
  return (await chat.rooms.lane(roomId).runTogether(senderId, own, body.length, inRoom)) as Sent; // 2
}

/** Writes the sends with one statement and publishes their entries. All are `held` if the statement collided with another transaction. */
async function sendAll(chat: Chat, sends: readonly Send[]): Promise<SendResult[]> {
  try {
    const results = await writeSends(chat.db, sends);
    publish(chat, entriesOf(results));
    return results;
  } catch (error) {
    // For example, the default isolation of the database is stricter than read committed. The transactions of the rooms'
    // lanes are read committed.
    if (error instanceof DatabaseFailure && error.isOfConcurrency) return sends.map(() => ({ outcome: 'held' }));
    throw error;
  }
}

/** Waits for the locks on the room and on the senders, and writes them with one statement. */
function sendInto(chat: Chat, roomId: string, sends: readonly Send[]): Promise<SendResult[]> {
  return commit(chat, async (trx) => {
    await lockForSends(trx, roomId, sends);
    const result = await writeHeld(trx, sends);
    return { entries: entriesOf(result), result };
  });
}

/** While the room is locked, a send is `held` only if an earlier one has the same key. The next statement finds the earlier one. */
async function writeHeld(db: Db, sends: readonly Send[]): Promise<SendResult[]> {
  const results = await writeSends(db, sends);
  const passedOver = sends.filter((_, index) => results[index]?.outcome === 'held');
  if (passedOver.length === 0) return results;
  const found = await writeHeld(db, passedOver);
  return results.map((result) => (result.outcome === 'held' ? (found.shift() as SendResult) : result));
}

const entriesOf = (results: readonly SendResult[]) => results.flatMap((result) => (result.outcome === 'written' ? [result.entry] : []));

/**
 * The answer to each send. If the database rejects the data of one send, only that send fails: the batch is split until
 * that send is found. Any other failure fails all sends at once.
 */
async function settleAll(sends: readonly Send[], write: (sends: readonly Send[]) => Promise<SendResult[]>): Promise<Outcomes<Answer>> {
  try {
    const results = await write(sends);
    return sends.map((send, index) => answerTo(send, results[index] as SendResult));
  } catch (error) {
    // Another transaction wrote the key after the snapshot of this statement, and has committed.
    if (isKeyTaken(error)) return settleAll(sends, write);
    const isOfOne = sends.length > 1 && error instanceof DatabaseFailure && error.isOfData;
    if (!isOfOne) return sends.map(() => ({ status: 'rejected', reason: reasonOf(error) }));
    const middle = sends.length >> 1;
    return [...(await settleAll(sends.slice(0, middle), write)), ...(await settleAll(sends.slice(middle), write))];
  }
}

/** A retry of data that the database rejects fails again, so such a failure is the server's fault and not UNAVAILABLE. */
const reasonOf = (error: unknown) =>
  error instanceof DatabaseFailure && error.isOfData && !isOfGoneUser(error)
    ? new Error(`the database rejected the data of a send: ${error.message}`, { cause: error.cause })
    : error;

function answerTo(send: Send, result: SendResult): PromiseSettledResult<Answer> {
  switch (result.outcome) {
    case 'written':
      return { status: 'fulfilled', value: { message: result.message, deduplicated: false, readVersion: result.readVersion } };
    case 'known':
      if (isSame(result.message, send)) return { status: 'fulfilled', value: { message: result.message, deduplicated: true } };
      return {
        status: 'rejected',
        reason: conflict('This clientMessageId was used for another message: use a new one.', 'clientMessageId'),
      };
    case 'refused':
      return { status: 'rejected', reason: refusalOf(result) };
    case 'held':
      return { status: 'fulfilled', value: undefined };
  }
}

// Compared with the body as it was first sent, so that a retry after an edit still matches.
const isSame = (sent: MessageRow, send: Send) => sent.roomId === send.roomId && sent.sentHash === hashOf(send.body);

/** Throws FORBIDDEN unless the viewer sent the TALK message and is a member, and CONFLICT if it is deleted. */
export async function editMessage(chat: Chat, viewerId: string, messageId: string, body: string): Promise<MessageRow> {
  return changeFound(chat, viewerId, messageId, {
    check({ membership }, message) {
      if (message.senderId !== viewerId || message.kind !== 'TALK') throw forbidden('Only its sender may edit a message.');
      if (membership === undefined) throw forbidden(joinFirst);
      if (message.deletedAt !== null) throw conflict('The message is deleted.', 'messageId');
      return message.body === body ? message : undefined;
    },
    work: (room) => changeMessage(room, messageId, 'MessageEdited', { body }),
  });
}

/** Replaces a message by a tombstone. Does nothing for a tombstone. Throws FORBIDDEN unless the viewer sent it or owns the room. */
export async function deleteMessage(chat: Chat, viewerId: string, messageId: string): Promise<MessageRow> {
  const isOwn = ({ senderId, kind }: MessageRow) => senderId === viewerId && kind === 'TALK';
  return changeFound(chat, viewerId, messageId, {
    check({ membership }, message) {
      const mayDelete = isOwn(message) || membership?.role === 'OWNER';
      if (!mayDelete) throw forbidden('Only its sender or the owner of the room may delete a message.');
      return message.deletedAt === null ? undefined : message;
    },
    work(room, message) {
      const deletionReason = isOwn(message) ? 'BY_SENDER' : 'BY_OWNER';
      return changeMessage(room, messageId, 'MessageDeleted', { body: null, deletionReason });
    },
  });
}

/** A change of a message, as RoomChange is one of a room. */
interface MessageChange {
  readonly check: (standing: Standing, message: MessageRow) => MessageRow | undefined;
  readonly work: (room: LockedRoom, message: MessageRow) => Promise<MessageRow>;
}

async function changeFound(chat: Chat, viewerId: string, messageId: string, { check, work }: MessageChange): Promise<MessageRow> {
  const [found] = await chat.rows.messages([messageId]);
  if (!found) throw noSuchMessage();
  const checkThat = (message: MessageRow | undefined, standing: Standing | undefined) => {
    const readable = requireReadable(standing, noSuchMessage);
    if (!message || message.seq <= readable.row.floorSeq) throw noSuchMessage();
    return check(readable, message);
  };
  return changeRoom(chat, viewerId, found.roomId, {
    check: (standing) => checkThat(found, standing),
    async work(room, standing) {
      // Read again under the lock, because the message may have changed.
      const [message] = await findMessages(room.trx, [messageId]);
      return checkThat(message, standing) ?? work(room, message as MessageRow);
    },
  });
}
