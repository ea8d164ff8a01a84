// Joining, leaving, adding and removing members.

import { badInput, notFound } from '../errors.ts';
import type { LockedRoom } from '../storage/locked-room.ts';
import { deleteMember, findMember, findOldestMember, insertMembers, makeOwner, noteLeft } from '../storage/members.ts';
import { addNotice } from '../storage/messages.ts';
import type { MembershipRow, RoomRow } from '../storage/tables.ts';
import { findUser } from '../storage/users.ts';
import { requireGroup, requireOwnedGroup, requireReadable } from './access.ts';
import { type Chat, changeRoom, type RoomChange } from './chat.ts';
import { endRoom } from './rooms.ts';

/** Joins an OPEN room. Does nothing for a member. */
export async function joinRoom(chat: Chat, viewerId: string, roomId: string): Promise<MembershipRow> {
  return changeRoom(chat, viewerId, roomId, {
    users: [viewerId],
    check: (standing) => requireReadable(standing).membership,
    work: (room) => enter(room, viewerId),
  });
}

/** Adds a user. Does nothing if the user is a member. */
export async function addMember(chat: Chat, viewerId: string, roomId: string, userId: string): Promise<MembershipRow> {
  const change: RoomChange<MembershipRow> = {
    users: [userId],
    check(standing) {
      requireOwnedGroup(standing, 'always has two members: nobody can be added');
      return undefined;
    },
    async work(room) {
      if (!(await findUser(room.trx, userId))) throw notFound('There is no such user.', 'userId');
      return (await findMember(room.trx, roomId, userId)) ?? enter(room, userId);
    },
  };
  return changeRoom(chat, viewerId, roomId, change, 'userId');
}

/** Removes a member, and returns the room after that. Throws NOT_FOUND if the user is not a member. */
export async function removeMember(chat: Chat, viewerId: string, roomId: string, userId: string): Promise<RoomRow> {
  return changeRoom(chat, viewerId, roomId, {
    users: [userId],
    check(standing) {
      requireOwnedGroup(standing, 'always has two members: nobody can be removed');
      if (userId === viewerId) throw badInput('An owner cannot remove themselves: use leaveRoom.', 'userId');
      return undefined;
    },
    async work(room) {
      const membership = await findMember(room.trx, roomId, userId);
      if (!membership) throw notFound('This user is not a member of the room.', 'userId');
      await exit(room, membership);
      return room.row;
    },
  });
}

/**
 * Leaves, and returns the room after that if the viewer may still read it. Does nothing for a viewer who is not a member of
 * an OPEN room.
 */
export async function leaveRoom(chat: Chat, viewerId: string, roomId: string): Promise<RoomRow | undefined> {
  return changeRoom<RoomRow | undefined>(chat, viewerId, roomId, {
    users: [viewerId],
    check(standing) {
      const { row, membership } = requireReadable(standing);
      requireGroup(row, 'cannot be left: delete it with deleteRoom');
      return membership ? undefined : row;
    },
    async work(room, { membership }) {
      await exit(room, membership as MembershipRow);
      await noteLeft(room.trx, membership as MembershipRow);
      const next = await findOldestMember(room.trx, roomId);
      if (next && membership?.role === 'OWNER') await makeOwner(room.trx, next.id);
      if (!next && room.row.kind === 'PRIVATE') await endRoom(room);
      return room.row.kind === 'OPEN' ? room.row : undefined;
    },
  });
}

// The first user who joins an OPEN room without members becomes its owner.
async function enter(room: LockedRoom, userId: string): Promise<MembershipRow> {
  const { memberCount } = room.row;
  await room.append({ type: 'MemberJoined', userId }, { memberCount: memberCount + 1 });
  await addNotice(room, 'ENTER', userId);
  // After the notice, which the member has read.
  const [membership] = await insertMembers(room.trx, room.row, [userId], memberCount === 0 ? 'OWNER' : 'MEMBER');
  return membership as MembershipRow;
}

async function exit(room: LockedRoom, { id, userId }: MembershipRow): Promise<void> {
  await deleteMember(room.trx, id);
  await addNotice(room, 'LEAVE', userId);
  await room.append({ type: 'MemberLeft', userId }, { memberCount: room.row.memberCount - 1 });
}
