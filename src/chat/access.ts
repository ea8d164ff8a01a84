// Who may do what in a room. To a viewer who may not read a room, it does not exist.

import { badInput, forbidden, type GaplessError, noSuchRoom, notFound } from '../errors.ts';
import type { Standing } from '../storage/members.ts';
import type { RoomRow } from '../storage/tables.ts';

export const joinFirst = 'You are not a member of this room: join it first, with joinRoom.';

export const notAMember = () => notFound('You are not a member of a room with this id.', 'roomId');
export const noSuchMessage = () => notFound('There is no such message.', 'messageId');

/** Throws `missing`, NOT_FOUND, if the viewer may not read the room. */
export function requireReadable(standing: Standing | undefined, missing = noSuchRoom): Standing {
  if (!standing?.mayRead) throw missing();
  return standing;
}

/** Why a sender who is not a member may not send: FORBIDDEN if they may read the room, NOT_FOUND otherwise. */
export const refusalOf = ({ mayRead }: { readonly mayRead: boolean }): GaplessError => (mayRead ? forbidden(joinFirst) : noSuchRoom());

/** Throws FORBIDDEN if the viewer does not own the room. */
export function requireOwner({ membership }: Standing): void {
  if (membership?.role !== 'OWNER') throw forbidden('Only the owner of the room may do this.');
}

/** What only the owner of a room that is not DIRECT may do. Throws NOT_FOUND, BAD_USER_INPUT or FORBIDDEN. `instead`: see requireGroup. */
export function requireOwnedGroup(standing: Standing | undefined, instead: string): void {
  const readable = requireReadable(standing);
  requireGroup(readable.row, instead);
  requireOwner(readable);
}

/** Throws BAD_USER_INPUT for a DIRECT room. `instead` completes the sentence that says why. */
export function requireGroup({ kind }: Pick<RoomRow, 'kind'>, instead: string): void {
  if (kind === 'DIRECT') throw badInput(`A DIRECT room ${instead}.`, 'roomId');
}
