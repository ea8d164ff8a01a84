// The list of a viewer's rooms: pages of `rooms(filter: { joined: true })` plus every event of viewerEvents since. Lists are
// never changed in place.

import type { DeletedNumber } from './room-count.ts';
import type { Status } from './subscription.ts';
import { type Entry, type ViewerMembershipLike, type ViewerRoomLike, withChange, withMembership, withRoom } from './viewer-room.ts';
import { requireEventFields, requireRoomFields } from './viewer-selection.ts';

export interface UnreadTotals {
  /** Rooms with unread messages. */
  readonly rooms: number;
  readonly messages: number;
}

/** The fields of an event of viewerEvents that `applyViewerEvent` reads. */
export interface ViewerEventLike<Room> {
  readonly __typename?: string | undefined;
  readonly cursor: string;
  readonly at: string;
  /** On all events about a room. */
  readonly roomId?: string | undefined;
  /** On ViewerRoomAdded with `viewerMembership`, and on ViewerRoomChanged. */
  readonly room?: Partial<Room> | undefined;
  /** On ViewerRoomChanged. */
  readonly deleted?: readonly DeletedNumber[] | undefined;
  /** On ViewerMembershipChanged. */
  readonly membership?: ViewerMembershipLike | undefined;
  /** On ViewerChanged. */
  readonly viewer?: { readonly unread?: UnreadTotals } | undefined;
  /** On ViewerCaughtUp. */
  readonly complete?: boolean | undefined;
}

export interface ViewerList<Room> {
  /** Newest activity first. `viewerMembership.unreadCount` of each is current. */
  readonly rooms: readonly Room[];
  /** Over all rooms that are not muted. */
  readonly unread: UnreadTotals;
  /** Pass it as `after` to viewerEvents: syncCursor of the first page, then the cursor of the last event. */
  readonly cursor: string;
  /**
   * Rooms that changed and are not in `rooms`, because not all pages are loaded. Load each by its id, with `unread` of the viewer,
   * and apply both: the room as a ViewerRoomAdded, and `unread` as a ViewerChanged.
   */
  readonly missing: readonly string[];
  /** For the functions of this module. */
  readonly state: ListState<Room>;
}

type Entries<Room> = readonly Entry<Room>[];

export interface ListState<Room> {
  readonly viewerId: string;
  /** The time of the newest event, in milliseconds: a mute ends by itself. Undefined before the first event. */
  readonly atMs: number | undefined;
  readonly entries: Entries<Room>;
  /** The totals of the rooms that are not loaded. Undefined if all are. */
  readonly elsewhere: UnreadTotals | undefined;
  /** The rooms that were added since the server began to catch up, without what was known of them before. */
  readonly added: Entries<Room>;
}

export interface ViewerPage<Room> {
  readonly rooms: readonly Room[];
  /** `pageInfo.hasNextPage` of the page. Default: false. */
  readonly hasNextPage?: boolean | undefined;
}

export interface FirstViewerPage<Room> extends ViewerPage<Room> {
  /** Id of the viewer's user. */
  readonly viewerId: string;
  readonly syncCursor: string;
  /** `unread` of the viewer. Only used if there is a next page. */
  readonly unread?: UnreadTotals | undefined;
}

const nothing: UnreadTotals = { rooms: 0, messages: 0 };

/** The list that starts with the first page. Pass its `cursor` as `after` to viewerEvents. */
export function openViewerList<Room extends ViewerRoomLike>(page: FirstViewerPage<Room>): ViewerList<Room> {
  const { viewerId, syncCursor, unread = nothing } = page;
  const state = { viewerId, atMs: undefined, entries: [], elsewhere: unread, added: [] };
  return addViewerPage({ rooms: [], unread, cursor: syncCursor, missing: [], state }, page);
}

/** The list with its next page. What events have told of the rooms of the page is kept. */
export function addViewerPage<Room extends ViewerRoomLike>(list: ViewerList<Room>, page: ViewerPage<Room>): ViewerList<Room> {
  const { state } = list;
  let { entries } = state;
  for (const room of page.rooms) {
    requireRoomFields(room);
    entries = put(entries, room.id, (known) => withRoom(known, room));
  }
  const before = totalsOf(state.entries, state.atMs);
  const loaded = totalsOf(entries, state.atMs);
  const elsewhere = page.hasNextPage && state.elsewhere ? minus(plus(state.elsewhere, before), loaded) : undefined;
  return build(list, { ...state, entries, elsewhere });
}

/**
 * The list after an event. A list that starts with pages and applies every event after the syncCursor of the first page equals
 * new pages: rooms, order, unread counts and totals. Events may be repeated. An older state never replaces a newer one.
 *
 * Throws a TypeError that names the fields if the operation does not select what is computed with. Unless `includeMuted` is
 * true, muted rooms change only after an absence and when the mute ends.
 */
export function applyViewerEvent<Room extends ViewerRoomLike>(list: ViewerList<Room>, event: ViewerEventLike<Room>): ViewerList<Room> {
  requireEventFields(event);
  const { cursor, at, room, roomId = room?.id ?? '', deleted = [], membership, viewer, complete } = event;
  const now = { ...list, cursor };
  const state = { ...list.state, atMs: Math.max(list.state.atMs ?? 0, Date.parse(at)) };
  const { entries, added, elsewhere, viewerId } = state;
  const change = (apply: (entry: Entry<Room>) => Entry<Room>) => {
    const changed = { ...state, entries: update(entries, roomId, apply), added: update(added, roomId, apply) };
    const isMissing = elsewhere !== undefined && !has(entries, roomId);
    return build(isMissing ? { ...now, missing: [...new Set([...list.missing, roomId])] } : now, changed);
  };
  switch (event.__typename) {
    case 'ViewerRoomAdded': {
      // If they have left since, ViewerRoomRemoved follows.
      if (!room?.viewerMembership) return now;
      const add = (known: Entry<Room> | undefined) => withRoom(known, room as Room);
      return build(now, { ...state, entries: put(entries, roomId, add), added: put(without(added, roomId), roomId, add) });
    }
    case 'ViewerRoomChanged':
      return change((entry) => withChange(entry, room ?? {}, deleted, viewerId));
    case 'ViewerMembershipChanged':
      return change((entry) => withMembership(entry, membership ?? {}));
    case 'ViewerRoomRemoved':
      return build(
        { ...now, missing: list.missing.filter((id) => id !== roomId) },
        { ...state, entries: without(entries, roomId), added: without(added, roomId) },
      );
    case 'ViewerChanged':
      return build(now, { ...state, elsewhere: elsewhere && minus(viewer?.unread ?? list.unread, totalsOf(entries, state.atMs)) });
    case 'ViewerCaughtUp':
      // What was not added is in the list no more. What was known may be of a past that was rolled back.
      if (!complete) return build(now, { ...state, added: [] });
      return build({ ...now, missing: [] }, { ...state, entries: added, elsewhere: undefined, added: [] });
    default:
      return now;
  }
}

/**
 * The list after the status of its subscription changed. The server may catch up with the whole list: what was added before a
 * break does not count as added after it.
 */
export const applyViewerStatus = <Room>(list: ViewerList<Room>, status: Status): ViewerList<Room> =>
  status === 'connecting' ? { ...list, state: { ...list.state, added: [] } } : list;

function build<Room extends ViewerRoomLike>(list: ViewerList<Room>, changes: ListState<Room>): ViewerList<Room> {
  const state = { ...changes, entries: changes.entries.toSorted(byActivity) };
  return {
    ...list,
    rooms: state.entries.map(({ room }) => room),
    unread: plus(totalsOf(state.entries, state.atMs), state.elsewhere ?? nothing),
    missing: list.missing.filter((id) => !has(state.entries, id)),
    state,
  };
}

/** The order of RECENTLY_ACTIVE. */
function byActivity({ room: a }: Entry<ViewerRoomLike>, { room: b }: Entry<ViewerRoomLike>): number {
  if (a.lastActiveAt !== b.lastActiveAt) return a.lastActiveAt < b.lastActiveAt ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}

function totalsOf(entries: Entries<ViewerRoomLike>, atMs = Date.now()): UnreadTotals {
  const counts = entries.filter(({ room }) => !isMuted(room, atMs)).map(({ room }) => room.viewerMembership?.unreadCount ?? 0);
  return { rooms: counts.filter((count) => count > 0).length, messages: counts.reduce((sum, count) => sum + count, 0) };
}

const isMuted = ({ viewerMembership }: ViewerRoomLike, atMs: number): boolean => Date.parse(viewerMembership?.mutedUntil ?? '') > atMs;

const plus = (a: UnreadTotals, b: UnreadTotals): UnreadTotals => ({ rooms: a.rooms + b.rooms, messages: a.messages + b.messages });
const minus = (a: UnreadTotals, b: UnreadTotals): UnreadTotals => ({
  rooms: Math.max(0, a.rooms - b.rooms),
  messages: Math.max(0, a.messages - b.messages),
});

const has = (entries: Entries<ViewerRoomLike>, id: string): boolean => entries.some(({ room }) => room.id === id);

const without = <Room extends ViewerRoomLike>(entries: Entries<Room>, id: string): Entries<Room> =>
  entries.filter(({ room }) => room.id !== id);

const update = <Room extends ViewerRoomLike>(
  entries: Entries<Room>,
  id: string,
  apply: (entry: Entry<Room>) => Entry<Room>,
): Entries<Room> => entries.map((entry) => (entry.room.id === id ? apply(entry) : entry));

const put = <Room extends ViewerRoomLike>(
  entries: Entries<Room>,
  id: string,
  apply: (known: Entry<Room> | undefined) => Entry<Room>,
): Entries<Room> => (has(entries, id) ? update(entries, id, apply) : [...entries, apply(undefined)]);
