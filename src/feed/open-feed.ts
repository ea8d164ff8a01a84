// How a feed begins: with a right to the room, behind a cursor, and listening before it reads.

import { decodeCursor, type Position, samePosition } from '../storage/cursor.ts';
import { headOf } from '../storage/room-log.ts';
import type { Watch } from './delivery.ts';
import { Feed } from './feed.ts';
import type { LiveRooms } from './live-rooms.ts';

export interface Opening extends Watch {
  /** Cursor behind which to begin. Without one: live only. */
  readonly after: string | undefined;
}

/**
 * Opens a feed. Throws NOT_FOUND where the viewer may not see the room, CURSOR_INVALID, or CURSOR_EXPIRED.
 *
 * 1. The viewer's right is looked at, before the node listens to a room for them that it does not listen to yet.
 * 2. The node listens to the room.
 * 3. Only then are the room's head and the first page read. The other way round, an entry that is committed between
 *    would be neither read nor heard.
 */
export async function openFeed(liveRooms: LiveRooms, { after: cursor, ...watch }: Opening): Promise<Feed> {
  const { roomId } = watch;
  const after = cursor === undefined ? undefined : decodeCursor(roomId, cursor);
  if (!liveRooms.isWatched(roomId)) await liveRooms.look(watch); // 1
  const { room, leave } = await liveRooms.join(roomId); // 2
  try {
    const then = room.known;
    const seen = await liveRooms.look(watch); // 3
    const head = headOf(seen);
    room.learn(then, head);
    const { history } = room;
    // What the live room remembers is the log where both end alike: one that was undone since ends in another entry. It may
    // reach back in front of what is kept.
    const isRemembered = (from: Position) =>
      from.seq >= seen.floorSeq && samePosition(head, room.head) && room.entryAfter(from) !== undefined;
    const needsNoRead = after === undefined || samePosition(after, head) || isRemembered(after);
    const page = needsNoRead ? [] : await liveRooms.readPage(roomId, after);
    return new Feed(liveRooms, room, leave, { watch, seen, history, position: after ?? head, page });
  } catch (error) {
    leave();
    throw error;
  }
}
