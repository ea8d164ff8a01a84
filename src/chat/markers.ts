// Moving read markers. What waits is written together. A marker moves forward, however late or often a read arrives, and back
// only if its user marks a message as unread.

import type { GaplessError } from '../errors.ts';
import { decodeCursor, expiredCursor } from '../storage/cursor.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import { type MarkerMove, type MoveResult, moveAllMarkers, moveHeldMarker, moveMarkers } from '../storage/markers.ts';
import type { MembershipRow } from '../storage/tables.ts';
import { noSuchMessage, notAMember } from './access.ts';
import type { Chat } from './chat.ts';
import { requireUsers } from './gone-user.ts';
import type { Outcomes } from './lane.ts';

/**
 * Moves the marker forward to the position of a cursor, unless it is there already, or was moved back since the client read
 * `readVersion`. Throws CURSOR_EXPIRED if the position is no longer kept, and NOT_FOUND if the viewer is not a member.
 */
export async function markRoomRead(
  chat: Chat,
  viewerId: string,
  roomId: string,
  upTo: string,
  readVersion: number | undefined,
): Promise<MembershipRow> {
  const { seq, tag } = decodeCursor(roomId, upTo);
  return moveMarker(
    chat,
    { userId: viewerId, roomId, seq, tag, readVersion, isSet: false },
    { refused: notAMember, expired: expiredCursor },
  );
}

/** Sets the marker directly before a message. Throws NOT_FOUND if the message is not kept, or the viewer is not a member of its room. */
export async function markRoomUnread(chat: Chat, viewerId: string, messageId: string): Promise<MembershipRow> {
  const [message] = await chat.rows.messages([messageId]);
  if (!message) throw noSuchMessage();
  const move = { userId: viewerId, roomId: message.roomId, seq: message.seq - 1, isSet: true };
  return moveMarker(chat, move, { refused: noSuchMessage, expired: noSuchMessage });
}

/** Moves the markers of all rooms of the viewer to their heads. */
export async function markAllRead(chat: Chat, viewerId: string): Promise<void> {
  const moveAll = () => chat.db.transaction().execute((trx) => moveAllMarkers(trx, viewerId));
  const moved = await chat.users.lane(viewerId).run(viewerId, moveAll);
  if (moved > 0) chat.announce();
}

interface Refusals {
  /** The viewer is not a member, or there is no such room. */
  readonly refused: () => GaplessError;
  /** The place of the marker is no longer kept. */
  readonly expired: () => GaplessError;
}

async function moveMarker(chat: Chat, move: MarkerMove, { refused, expired }: Refusals): Promise<MembershipRow> {
  return requireUsers(chat.rows, move.userId, async () => {
    const result = await moveSoon(chat, move);
    if (result.outcome === 'refused') throw refused();
    if (result.outcome !== 'done') throw expired();
    if (result.isMoved) chat.announce();
    return result.membership;
  });
}

/**
 * 1. What waits is written together. A membership that another transaction holds is left out.
 * 2. Such a marker waits by itself, and delays only its user.
 */
async function moveSoon(chat: Chat, move: MarkerMove): Promise<MoveResult> {
  const { userId } = move;
  const result = await chat.markers.runTogether(userId, move, 0, (moves: MarkerMove[]) => moveTogether(chat, moves)); // 1
  if (result.outcome !== 'held') return result;
  return chat.users.lane(userId).run(userId, () => chat.db.transaction().execute((trx) => moveHeldMarker(trx, move))); // 2
}

/** Moves the first marker of each membership with one statement, then the second one of each, and so on. */
async function moveTogether(chat: Chat, moves: readonly MarkerMove[]): Promise<Outcomes<MoveResult>> {
  const results = new Map<MarkerMove, MoveResult>();
  for (let left = moves; left.length > 0; ) {
    const first = new Map(left.toReversed().map((move) => [`${move.userId} ${move.roomId}`, move]));
    const together = left.filter((move) => first.get(`${move.userId} ${move.roomId}`) === move);
    const written = await moveOrHold(chat, together);
    for (const [index, move] of together.entries()) results.set(move, written[index] as MoveResult);
    left = left.filter((move) => !results.has(move));
  }
  return moves.map((move) => ({ status: 'fulfilled', value: results.get(move) as MoveResult }));
}

/** All are `held` if the statement collided with another transaction. */
async function moveOrHold(chat: Chat, moves: readonly MarkerMove[]): Promise<MoveResult[]> {
  try {
    return await moveMarkers(chat.db, moves);
  } catch (error) {
    if (error instanceof DatabaseFailure && error.isOfConcurrency) return moves.map(() => ({ outcome: 'held' }));
    throw error;
  }
}
