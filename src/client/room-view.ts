// A room as a client shows it: what a page of it said, and every event since.

export interface RoomView<Room, Message, Membership> {
  readonly room: Room;
  /** It has ended: nothing comes any more. */
  readonly deleted: boolean;
  /** Those that were loaded, and all since, by number. */
  readonly messages: readonly Message[];
  /** Those that were loaded, and who has joined since, in the order in which they joined. */
  readonly members: readonly Membership[];
  /** The position that is shown: syncCursor of the page at first, then the cursor of the last event. */
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

/** What is looked at of an event of roomEvents; what is selected beside it goes into the view as it is. */
export interface RoomEventLike<Room, Message, Membership> {
  readonly __typename?: string | undefined;
  readonly cursor: string;
  /** Of any event: the room as it is when the event is handed over. */
  readonly room?: Partial<Room> | null | undefined;
  /** Of MessageAdded, MessageEdited and MessageDeleted. */
  readonly message?: Message | undefined;
  /** Of MemberJoined. Null where they have left again by now. */
  readonly membership?: Membership | null | undefined;
  /** Of MemberJoined and MemberLeft. */
  readonly userId?: string | undefined;
  /** Of HistoryTrimmed. */
  readonly throughNumber?: number | undefined;
}

/**
 * The view with the event in it. A view that was opened with a page and was handed every event since the page’s syncCursor
 * shows what the page would show now, of the messages that it has loaded. Changes nothing in place; of an event that it
 * does not know, it takes the cursor and the room.
 *
 * Of the room it shows what each event says of it: select `room { … }` of those whose change the view shows, such as
 * RoomUpdated, and MemberJoined and MemberLeft for memberCount.
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

/** The place of an owner who has left goes to the member who joined first; the log has no entry of its own for that. */
function withOwner<Membership extends MembershipLike>(
  members: readonly Membership[],
  before: readonly Membership[],
): readonly Membership[] {
  const [first, ...others] = members;
  const had = (all: readonly Membership[]) => all.some(({ role }) => role === 'OWNER');
  return first && had(before) && !had(members) ? [{ ...first, role: 'OWNER' }, ...others] : members;
}
