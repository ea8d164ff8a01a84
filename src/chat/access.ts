// Who may do what. A room that a viewer may not see is, in every answer, a room that is not there.

import { forbidden, type GaplessError } from '../errors.ts';
import { findMember } from '../storage/members.ts';
import type { LockedRoom } from '../storage/room-log.ts';
import type { Standing } from '../storage/sends.ts';
import type { MembershipRow, RoomRow } from '../storage/tables.ts';
import { noSuchRoom } from './chat.ts';

export interface Seen {
  readonly room: LockedRoom;
  /** Undefined for a viewer who looks at an OPEN room from outside. */
  readonly membership: MembershipRow | undefined;
}

export const joinFirst = 'You are not a member of this room: join it first, with joinRoom.';

/** The viewer's standing in a room that they may see. Throws `missing`, NOT_FOUND, for any other. */
export async function requireSeen(room: LockedRoom | undefined, viewerId: string, missing = noSuchRoom): Promise<Seen> {
  const membership = room && (await findMember(room.trx, room.row.id, viewerId));
  if (!room || !isVisible(room.row, membership !== undefined)) throw missing();
  return { room, membership };
}

/** Why whoever stands so may not send: FORBIDDEN where they see the room but have not joined it, NOT_FOUND otherwise. */
export function refusalOf({ room, isMember }: Standing): GaplessError {
  return room && isVisible(room, isMember) ? forbidden(joinFirst) : noSuchRoom();
}

/** Throws FORBIDDEN where the viewer sees the room but does not own it. */
export function requireOwner({ membership }: Seen): void {
  if (membership?.role !== 'OWNER') throw forbidden('Only the owner of the room may do this.');
}

const isVisible = ({ kind, deletedAt }: Pick<RoomRow, 'kind' | 'deletedAt'>, isMember: boolean) =>
  deletedAt === null && (isMember || kind === 'OPEN');
