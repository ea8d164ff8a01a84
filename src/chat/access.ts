// Who may do what in a locked room. To a viewer who may not read a room, it does not exist.

import { forbidden, type GaplessError, noSuchRoom } from '../errors.ts';
import type { LockedRoom } from '../storage/locked-room.ts';
import { findStanding } from '../storage/members.ts';
import type { MembershipRow } from '../storage/tables.ts';

export interface ReadableRoom {
  readonly room: LockedRoom;
  /** Undefined for a viewer who reads an OPEN room without being a member. */
  readonly membership: MembershipRow | undefined;
}

export const joinFirst = 'You are not a member of this room: join it first, with joinRoom.';

/** The room and the viewer's membership. Throws `missing`, NOT_FOUND, if the viewer may not read the room. */
export async function requireReadable(room: LockedRoom | undefined, viewerId: string, missing = noSuchRoom): Promise<ReadableRoom> {
  const standing = room && (await findStanding(room, viewerId));
  if (!room || !standing?.mayRead) throw missing();
  return { room, membership: standing.membership };
}

/** Why a sender who is not a member may not send: FORBIDDEN if they may read the room, NOT_FOUND otherwise. */
export const refusalOf = ({ mayRead }: { readonly mayRead: boolean }): GaplessError => (mayRead ? forbidden(joinFirst) : noSuchRoom());

/** Throws FORBIDDEN if the viewer does not own the room. */
export function requireOwner({ membership }: ReadableRoom): void {
  if (membership?.role !== 'OWNER') throw forbidden('Only the owner of the room may do this.');
}
