// The state of a room that a client shows: a page of the room plus every event since. Views are never changed in place.

export interface RoomView<Room, Message, Membership> {
  readonly room: Room;
  /** The room was deleted. No event follows. */
  readonly deleted: boolean;
  /** The loaded messages and all later ones, ordered by number. */
  readonly messages: readonly Message[];
  /** The loaded members and those who joined later, in the order of joining. */
  readonly members: readonly Membership[];
  /** The position of the view in the log: syncCursor of the page, then the cursor of the last event. */
  readonly cursor: string;
}

interface MessageLike {
  readonly id: string;
  readonly number: number;
}

interface MembershipLike {
  readonly role?: string;
  readonly user: { readonly id: string };
}

/** The fields of an event of roomEvents that `applyRoomEvent` reads. All selected fields of them go into the view unchanged. */
export interface RoomEventLike<Room, Message, Membership> {
  readonly __typename?: string | undefined;
  readonly cursor: string;
  /** On every event: the room at the time of delivery. */
  readonly room?: Partial<Room> | null | undefined;
  /** On MessageAdded, MessageEdited and MessageDeleted. */
  readonly message?: Message | undefined;
  /** On MemberJoined. Null if the member has left since. */
  readonly membership?: Membership | null | undefined;
  /** On MemberJoined and MemberLeft. */
  readonly userId?: string | undefined;
  /** On HistoryTrimmed: the number of the last message that was removed. */
  readonly throughNumber?: number | undefined;
}

/**
 * Returns the view after the event. A view that starts with a page and applies every event after the syncCursor of that
 * page equals a new page, limited to the messages that it has loaded. From an event of an unknown type, it takes the cursor
 * and the room.
 *
 * Fields of the room change only with events that select them: select `room { … }` on RoomUpdated, and on MemberJoined and
 * MemberLeft if the view shows memberCount.
 */
export function applyRoomEvent<Room, Message extends MessageLike, Membership extends MembershipLike>(
  view: RoomView<Room, Message, Membership>,
  event: RoomEventLike<Room, Message, Membership>,
): RoomView<Room, Message, Membership> {
  const { cursor, room, message, membership, userId, throughNumber } = event;
  const next = { ...view, cursor, ...(room ? { room: { ...view.room, ...room } } : {}) };
  switch (event.__typename) {
    case 'MessageAdded':
      return message ? { ...next, messages: withMessage(view.messages, message) } : next;
    case 'MessageEdited':
    case 'MessageDeleted':
      return message ? { ...next, messages: view.messages.map((known) => (known.id === message.id ? message : known)) } : next;
    case 'HistoryTrimmed':
      return { ...next, messages: view.messages.filter(({ number }) => number > (throughNumber ?? 0)) };
    case 'MemberJoined':
      return membership ? { ...next, members: [...without(view.members, membership.user.id), membership] } : next;
    case 'MemberLeft':
      return { ...next, members: withOwner(without(view.members, userId), view.members) };
    case 'RoomDeleted':
      return { ...next, deleted: true };
    default:
      return next;
  }
}

function withMessage<Message extends MessageLike>(messages: readonly Message[], message: Message): readonly Message[] {
  const at = messages.findLastIndex(({ number }) => number <= message.number);
  return [...messages.slice(0, messages[at]?.id === message.id ? at : at + 1), message, ...messages.slice(at + 1)];
}

const without = <Membership extends MembershipLike>(members: readonly Membership[], userId: string | undefined) =>
  members.filter(({ user }) => user.id !== userId);

/** If the owner leaves, the member who joined first becomes the owner. The log has no entry for that. */
function withOwner<Membership extends MembershipLike>(
  members: readonly Membership[],
  before: readonly Membership[],
): readonly Membership[] {
  const [first, ...others] = members;
  const had = (all: readonly Membership[]) => all.some(({ role }) => role === 'OWNER');
  return first && had(before) && !had(members) ? [{ ...first, role: 'OWNER' }, ...others] : members;
}
