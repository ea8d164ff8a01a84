// Who may do what. A room that a viewer may not see is, in every answer, a room that is not there.

import { forbidden } from '../errors.ts';
import { findMember } from '../storage/members.ts';
import type { LockedRoom } from '../storage/room-log.ts';
import type { MembershipRow } from '../storage/tables.ts';
import { noSuchRoom } from './chat.ts';

export interface Standing {
  readonly room: LockedRoom;
  /** Undefined for a viewer who looks at an OPEN room from outside. */
  readonly membership: MembershipRow | undefined;
}

export const joinFirst = 'You are not a member of this room: join it first, with joinRoom.';

/** The viewer's standing in a room that they may see. Throws `missing`, NOT_FOUND, for any other. */
export async function requireSeen(room: LockedRoom | undefined, viewerId: string, missing = noSuchRoom): Promise<Standing> {
  if (room === undefined || room.row.deletedAt !== null) throw missing();
  const membership = await findMember(room.trx, room.row.id, viewerId);
  if (membership === undefined && room.row.kind !== 'OPEN') throw missing();
  return { room, membership };
}

/** Throws FORBIDDEN where the viewer sees the room but has not joined it. */
export async function requireMember(room: LockedRoom | undefined, viewerId: string): Promise<Standing & { membership: MembershipRow }> {
  const standing = await requireSeen(room, viewerId);
  const { membership } = standing;
  if (membership === undefined) throw forbidden(joinFirst);
  return { ...standing, membership };
}

/** Throws FORBIDDEN where the viewer sees the room but does not own it. */
export function requireOwner({ membership }: Standing): void {
  if (membership?.role !== 'OWNER') throw forbidden('Only the owner of the room may do this.');
}
