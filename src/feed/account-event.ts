// What an account stream delivers: changes to the list of the viewer's rooms. Each event is a state as of now.

import type { DeletedMessage, RemovalReason } from '../storage/accounts.ts';
import type { MembershipRow, RoomRow } from '../storage/tables.ts';

interface Told {
  /** Everything up to here was delivered before the event. */
  readonly cursor: string;
  readonly at: Date;
}

export interface ViewerRoomAdded extends Told {
  readonly type: 'ViewerRoomAdded';
  readonly roomId: string;
  readonly row: RoomRow;
  readonly membership: MembershipRow;
}

export interface ViewerRoomChanged extends Told {
  readonly type: 'ViewerRoomChanged';
  readonly roomId: string;
  readonly row: RoomRow;
  /** The messages that were deleted lately. May repeat what an earlier event said. */
  readonly deleted: readonly DeletedMessage[];
}

export interface ViewerRoomRemoved extends Told {
  readonly type: 'ViewerRoomRemoved';
  readonly roomId: string;
  readonly removalReason: RemovalReason;
}

export interface ViewerMembershipChanged extends Told {
  readonly type: 'ViewerMembershipChanged';
  readonly roomId: string;
  readonly membership: MembershipRow;
}

export interface ViewerChanged extends Told {
  readonly type: 'ViewerChanged';
  readonly userId: string;
}

export interface ViewerCaughtUp extends Told {
  readonly type: 'ViewerCaughtUp';
  /** Whether all rooms of the list were delivered. */
  readonly complete: boolean;
}

export type AccountEvent =
  | ViewerRoomAdded
  | ViewerRoomChanged
  | ViewerRoomRemoved
  | ViewerMembershipChanged
  | ViewerChanged
  | ViewerCaughtUp;
