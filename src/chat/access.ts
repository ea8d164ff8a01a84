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
  return standingOf(room, room && (await findMember(room.trx, room.row.id, viewerId)), missing);
}

/** Throws FORBIDDEN where who has this membership, or none, sees the room but has not joined it. */
export function requireMember(room: LockedRoom | undefined, membership: MembershipRow | undefined): void {
  if (standingOf(room, membership).membership === undefined) throw forbidden(joinFirst);
}

/** Throws FORBIDDEN where the viewer sees the room but does not own it. */
export function requireOwner({ membership }: Standing): void {
  if (membership?.role !== 'OWNER') throw forbidden('Only the owner of the room may do this.');
}

function standingOf(room: LockedRoom | undefined, membership: MembershipRow | undefined, missing = noSuchRoom): Standing {
  if (room === undefined || room.row.deletedAt !== null) throw missing();
  if (membership === undefined && room.row.kind !== 'OPEN') throw missing();
  return { room, membership };
}
