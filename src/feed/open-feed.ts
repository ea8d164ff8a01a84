// Opens a feed: checks the right to the room, subscribes to the bus, and only then reads.

import { decodeCursor, type Position, samePosition } from '../storage/cursor.ts';
import { headOf } from '../storage/room-log.ts';
import type { Watch } from './delivery.ts';
import { Feed } from './feed.ts';
import type { LiveRooms } from './live-rooms.ts';

export interface Opening extends Watch {
  /** Cursor after which the feed begins. Undefined: only entries that are written from now on. */
  readonly after: string | undefined;
}

/**
 * Opens a feed. Throws NOT_FOUND if the viewer may not read the room, CURSOR_INVALID, or CURSOR_EXPIRED.
 *
 * 1. The right is checked before this node subscribes to a room that it does not watch yet.
 * 2. The node subscribes to the room.
 * 3. The head and the first page are read after that. In the other order, an entry that is committed in between would be
 *    neither read nor received.
 */
export async function openFeed(liveRooms: LiveRooms, { after: cursor, ...watch }: Opening): Promise<Feed> {
  const { roomId } = watch;
  const after = cursor === undefined ? undefined : decodeCursor(roomId, cursor);
  if (!liveRooms.isWatched(roomId)) await liveRooms.getVisible(watch); // 1
  const { room, leave } = await liveRooms.join(roomId); // 2
  try {
    const then = room.known;
    const seen = await liveRooms.getVisible(watch); // 3
    const head = headOf(seen);
    room.applyHead(then, head);
    const { epoch } = room;
    // The tail is part of the log if both end with the same entry, because a log that was rolled back ends with another
    // one. The tail may contain entries before the floor.
    const isRemembered = (from: Position) =>
      from.seq >= seen.floorSeq && samePosition(head, room.head) && room.entryAfter(from) !== undefined;
    const needsNoRead = after === undefined || samePosition(after, head) || isRemembered(after);
    const page = needsNoRead ? [] : (await liveRooms.readPage(roomId, after)).entries;
    return new Feed(liveRooms, room, leave, { watch, seen, epoch, position: after ?? head, page });
  } catch (error) {
    leave();
    throw error;
  }
}
