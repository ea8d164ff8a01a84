// Rooms come, change and go.

import { badInput, notFound } from '../errors.ts';
import { insertMembers } from '../storage/members.ts';
import type { LockedRoom } from '../storage/room-log.ts';
import { findDirectRoom, insertRoom, type NewRoom } from '../storage/rooms.ts';
import { fold, now, type RoomRow } from '../storage/tables.ts';
import { findUsers } from '../storage/users.ts';
import { requireOwner, requireSeen } from './access.ts';
import { type Chat, changeRoom } from './chat.ts';

export interface RoomDraft {
  readonly kind: 'OPEN' | 'PRIVATE';
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly subject?: string | null | undefined;
  /** Who else is there from the start. */
  readonly memberIds: readonly string[];
}

/** Creates a room that the viewer owns. Throws NOT_FOUND where one of the members is nobody. */
export async function createRoom(chat: Chat, viewerId: string, { memberIds, ...draft }: RoomDraft): Promise<RoomRow> {
  const others = [...new Set(memberIds)].filter((id) => id !== viewerId);
  return chat.db.transaction().execute(async (trx) => {
    const found = others.length > 0 ? await findUsers(trx, others) : [];
    if (found.length < others.length) throw notFound('One of these users does not exist.', 'memberIds');
    const room = (await insertRoom(trx, { ...draft, createdBy: viewerId, memberCount: 1 + others.length })) as RoomRow;
    await insertMembers(trx, room.id, [viewerId], 'OWNER');
    if (others.length > 0) await insertMembers(trx, room.id, others, 'MEMBER');
    return room;
  });
}

/** The one DIRECT room of the viewer and another, about `subject` where that is given; created where there is none. */
export async function openDirectRoom(
  chat: Chat,
  viewerId: string,
  userId: string,
  subject: string | null,
): Promise<{ room: RoomRow; created: boolean }> {
  if (userId === viewerId) throw badInput('A DIRECT room takes somebody else.', 'userId');
  const pair = [viewerId, userId].sort();
  const directKey = JSON.stringify([...pair, subject]);
  return chat.db.transaction().execute(async (trx) => {
    const users = await findUsers(trx, pair);
    if (users.length < 2) throw notFound('There is no such user.', 'userId');
    const name = pair.map((id) => users.find((user) => user.id === id)?.name).join(' and ');
    const draft: NewRoom = { kind: 'DIRECT', name, subject, createdBy: viewerId, directKey, memberCount: 2 };
    // A room that comes in between is found on the next turn, unless it is gone again by then.
    for (;;) {
      const existing = await findDirectRoom(trx, directKey);
      if (existing) return { room: existing, created: false };
      const room = await insertRoom(trx, draft);
      if (!room) continue;
      await insertMembers(trx, room.id, pair, 'MEMBER');
      return { room, created: true };
    }
  });
}

/** Changes what is given. `null` clears the description. Throws FORBIDDEN for others than the owner. */
export async function updateRoom(
  chat: Chat,
  viewerId: string,
  roomId: string,
  changes: { name?: string; description?: string | null },
): Promise<RoomRow> {
  return changeRoom(chat, roomId, async (locked) => {
    const standing = await requireSeen(locked, viewerId);
    const { room } = standing;
    if (room.row.kind === 'DIRECT') throw badInput('A DIRECT room is named after its members.', 'roomId');
    requireOwner(standing);
    const { name = room.row.name, description = room.row.description } = changes;
    if (name === room.row.name && description === room.row.description) return room.row;
    await room.append({ type: 'RoomUpdated' }, { name, nameFolded: fold(name), description });
    return room.row;
  });
}

/** Ends a room: its owner may, and either member of a DIRECT one. */
export async function deleteRoom(chat: Chat, viewerId: string, roomId: string): Promise<void> {
  await changeRoom(chat, roomId, async (locked) => {
    const standing = await requireSeen(locked, viewerId);
    if (standing.room.row.kind !== 'DIRECT') requireOwner(standing);
    await endRoom(standing.room);
  });
}

/** The last entry of a room. Its rows stay until retention takes them, for those who have yet to hear of it. */
export async function endRoom(room: LockedRoom): Promise<void> {
  await room.append({ type: 'RoomDeleted' }, { deletedAt: now });
}
