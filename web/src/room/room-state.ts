// What is known of an open room at any moment, as its components draw it.

import type { RoomView, Status } from 'gapless/client';
import type { MemberFragment, RoomEventsSubscription, RoomHeadFragment, ShownMessageFragment } from '../gql/graphql.ts';

export type View = RoomView<RoomHeadFragment, ShownMessageFragment, MemberFragment>;

export interface Opened {
  readonly at: 'open';
  readonly view: View;
  /** The place of the viewer. Undefined where they look at an OPEN room from outside. */
  readonly mine: MemberFragment | undefined;
  readonly status: Status;
  /** Whether it has been live: what connects now, reconnects. */
  readonly wasLive: boolean;
  /** What lies in front of the first message. */
  readonly older: 'none' | 'more' | 'loading' | 'failing';
  /** Behind which the members go on. Undefined: these are all. */
  readonly moreMembersAfter: string | undefined;
  /** Grows when the view begins anew, with nothing of what it was. */
  readonly opening: number;
}

export type RoomState =
  | { readonly at: 'opening'; readonly failing: boolean }
  | Opened
  | { readonly at: 'gone'; readonly why: 'deleted' | 'unseen' };

/** The viewer’s place after an event. It may not be among the members, of whom only the first are loaded. */
export function ownPlace(viewerId: string, event: RoomEventsSubscription['roomEvents'], view: View, before: MemberFragment | undefined) {
  if (event.__typename === 'MemberLeft' && event.userId === viewerId) return undefined;
  return view.members.find(({ user }) => user.id === viewerId) ?? before;
}
