// The unread messages of one room: what the server counted last, and what changed since. Equals what the server counts, in
// whatever order the states of the room and of the membership arrive, and however often.

/** What the server counted, and for which room and marker: all of one snapshot. */
export interface ExactCount {
  readonly unreadCount: number;
  /** `revision` and `talkCount` of the room in the snapshot. */
  readonly revision: number;
  readonly talkCount: number;
  /** The marker in the snapshot. */
  readonly readThrough: number;
  readonly readVersion: number;
}

/** A deleted message, and the revision of the room that deleted it. */
export interface DeletedNumber {
  readonly number: number;
  readonly revision: number;
}

export interface RoomCount {
  readonly exact: ExactCount;
  /** The highest `talkCount` that is known. */
  readonly talkCount: number;
  /** Deletions after `exact`. Each message is deleted once, so its number tells repetitions. */
  readonly deleted: readonly DeletedNumber[];
  /** Messages of the viewer after `exact`. `talkCount` of each is that of the room directly after it. */
  readonly own: readonly { readonly number: number; readonly talkCount: number }[];
}

/** A later state of the room, which does not depend on the viewer. */
export interface RoomChange {
  readonly talkCount: number;
  readonly deleted: readonly DeletedNumber[];
  /** Number of the newest TALK message that is not deleted, if it is by the viewer. */
  readonly lastOwn: number | undefined;
}

/** What is not the viewer's, not deleted, and after the marker. */
export function unreadOf({ exact, talkCount, deleted, own }: RoomCount): number {
  const removed = deleted.filter(({ number }) => number > exact.readThrough);
  return Math.max(0, exact.unreadCount + (talkCount - exact.talkCount) - own.length - removed.length);
}

/**
 * Counts from `exact`, unless it is older than what is known. States of one room are ordered by their revision, because it only
 * grows, and those of one revision by the marker, which moves back only with a higher version.
 *
 * A marker may arrive after a state of the room that is newer than it, so what happened between both is kept.
 */
export function countFrom(exact: ExactCount, known?: RoomCount): RoomCount {
  if (!known) return { exact, talkCount: exact.talkCount, deleted: [], own: [] };
  if (isOlder(exact, known.exact)) return known;
  return {
    exact,
    talkCount: Math.max(exact.talkCount, known.talkCount),
    deleted: known.deleted.filter(({ revision }) => revision > exact.revision),
    own: known.own.filter(({ talkCount }) => talkCount > exact.talkCount),
  };
}

function isOlder(a: ExactCount, b: ExactCount): boolean {
  const difference = a.revision - b.revision || a.readVersion - b.readVersion || a.readThrough - b.readThrough;
  return difference < 0;
}

/**
 * Counts on with a later state of the room. The state does not say whose its messages are. The server sends the viewer their
 * membership after each message of their own that is counted here, so that only the time until then is bridged: the newest
 * message is not counted if it is the viewer's.
 */
export function countOn(known: RoomCount, { talkCount, deleted, lastOwn }: RoomChange): RoomCount {
  const { exact } = known;
  const fresh = deleted.filter(
    ({ number, revision }) => revision > exact.revision && !known.deleted.some((deletion) => deletion.number === number),
  );
  const all = { talkCount: Math.max(talkCount, known.talkCount), deleted: [...known.deleted, ...fresh] };
  // `lastMessage` may have been read after the rest of the state. If a later message was deleted between both, it is that
  // message which was taken for the viewer's.
  const own = known.own.filter((message) => fresh.every(({ number }) => number < message.number));
  if (lastOwn === undefined || own.some(({ number }) => number === lastOwn)) return { exact, ...all, own };
  // All messages after the last one are deleted. If it was sent after `exact`, then so were they, and their deletions are known.
  const place = all.talkCount - all.deleted.filter(({ number }) => number > lastOwn).length;
  return { exact, ...all, own: place > exact.talkCount ? [...own, { number: lastOwn, talkCount: place }] : own };
}
