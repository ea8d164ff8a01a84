// One room of a viewer's list: its newest state, the viewer's membership, and the count of what they have not read.

import { countFrom, countOn, type DeletedNumber, type ExactCount, type RoomCount, unreadOf } from './room-count.ts';

/** The fields of the viewer's own membership that the list reads. */
export interface ViewerMembershipLike {
  readonly unreadCount?: number | null;
  readonly readThrough?: number | null;
  readonly readVersion?: number | null;
  readonly mutedUntil?: string | null;
  /** The room as `unreadCount` counts it. It may be newer than the room that the membership was selected from. */
  readonly room?: { readonly revision: number; readonly talkCount: number };
}

/** The fields of a room that the list reads. */
export interface ViewerRoomLike {
  readonly id: string;
  readonly lastActiveAt: string;
  readonly revision: number;
  readonly talkCount: number;
  /** With `number` and `sender { id }`, a message of the viewer is not counted, not even for a moment. */
  readonly lastMessage?: { readonly number?: number; readonly sender?: { readonly id: string } | null } | null;
  readonly viewerMembership?: ViewerMembershipLike | null;
}

export interface Entry<Room> {
  readonly room: Room;
  readonly count: RoomCount;
}

/** The room as it was loaded or added, after what is known of it already. It has a membership. */
export function withRoom<Room extends ViewerRoomLike>(known: Entry<Room> | undefined, room: Room): Entry<Room> {
  const membership = room.viewerMembership as ViewerMembershipLike;
  const entry = known ?? { room, count: countFrom(exactOf(membership)) };
  return withMembership(withChange(entry, room, [], undefined), membership);
}

/** The room after it changed. `room` may be older than what is known. */
export function withChange<Room extends ViewerRoomLike>(
  { room: known, count }: Entry<Room>,
  room: Partial<Room>,
  deleted: readonly DeletedNumber[],
  viewerId: string | undefined,
): Entry<Room> {
  const { revision = 0, talkCount = 0, lastMessage } = room;
  const isOlder = revision < known.revision;
  const lastOwn = !isOlder && viewerId !== undefined && lastMessage?.sender?.id === viewerId ? lastMessage.number : undefined;
  const newest = isOlder ? known : { ...known, ...room };
  return show(newest, known.viewerMembership, countOn(count, { talkCount, deleted, lastOwn }));
}

/** The room after the viewer's membership changed. `membership` may be older than what is known. */
export function withMembership<Room extends ViewerRoomLike>(
  { room, count: known }: Entry<Room>,
  membership: ViewerMembershipLike,
): Entry<Room> {
  const count = countFrom(exactOf(membership), known);
  return show(room, count === known ? room.viewerMembership : membership, count);
}

const exactOf = ({ unreadCount, readThrough, readVersion, room }: ViewerMembershipLike): ExactCount => ({
  unreadCount: unreadCount ?? 0,
  readThrough: readThrough ?? 0,
  readVersion: readVersion ?? 0,
  revision: room?.revision ?? 0,
  talkCount: room?.talkCount ?? 0,
});

function show<Room extends ViewerRoomLike>(room: Room, membership: ViewerMembershipLike | null | undefined, count: RoomCount): Entry<Room> {
  const { exact, talkCount } = count;
  const counted = { ...membership?.room, revision: Math.max(room.revision, exact.revision), talkCount };
  return { room: { ...room, viewerMembership: { ...membership, unreadCount: unreadOf(count), room: counted } }, count };
}
