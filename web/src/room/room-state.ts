// The state of an open room, as its components render it.

import type { RoomView, Status } from 'gapless/client';
import type { MemberFragment, RoomEventsSubscription, RoomHeadFragment, ShownMessageFragment } from '../gql/graphql.ts';
import type { Divider } from './use-unread.ts';

export type View = RoomView<RoomHeadFragment, ShownMessageFragment, MemberFragment>;

export interface Opened {
  readonly at: 'open';
  readonly view: View;
  /** The viewer's membership. Undefined if they read an OPEN room without being a member. */
  readonly membership: MemberFragment | undefined;
  readonly status: Status;
  /** Whether it was live before. `connecting` then means reconnecting. */
  readonly wasLive: boolean;
  /** Whether there are older messages before the first one, and the state of loading them. */
  readonly older: 'none' | 'more' | 'loading' | 'failing';
  /** Cursor after which there are more members. Undefined if all are loaded. */
  readonly moreMembersAfter: string | undefined;
  /** What was unread when the room was opened. */
  readonly unread: Divider | undefined;
  /** Grows each time the room is reloaded from scratch. */
  readonly opening: number;
}

export type RoomState =
  | { readonly at: 'opening'; readonly failing: boolean }
  | Opened
  | { readonly at: 'gone'; readonly why: 'deleted' | 'unseen' };

/** The viewer's membership after an event. It may be missing in `members`, of which only the first are loaded. */
export function membershipAfter(
  viewerId: string,
  event: RoomEventsSubscription['roomEvents'],
  view: View,
  before: MemberFragment | undefined,
) {
  if (event.__typename === 'MemberLeft' && event.userId === viewerId) return undefined;
  return view.members.find(({ user }) => user.id === viewerId) ?? before;
}
