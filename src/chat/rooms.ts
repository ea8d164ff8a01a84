// Creating, updating and deleting rooms.

import { badInput, notFound } from '../errors.ts';
import type { LockedRoom } from '../storage/locked-room.ts';
import { insertMembers } from '../storage/members.ts';
import { findDirectRoom, insertRoom, type NewRoom } from '../storage/rooms.ts';
import { fold, now, type RoomRow, type Trx } from '../storage/tables.ts';
import { findUsers, lockUsers } from '../storage/users.ts';
import { requireOwnedGroup, requireOwner, requireReadable } from './access.ts';
import { type Chat, changeRoom } from './chat.ts';
import { accountGone, requireUsers } from './gone-user.ts';

export interface RoomDraft {
  readonly kind: 'OPEN' | 'PRIVATE';
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly subject?: string | null | undefined;
  /** Initial members besides the viewer. */
  readonly memberIds: readonly string[];
}

/** Creates a room that the viewer owns. Throws NOT_FOUND if one of the members does not exist. */
export async function createRoom(chat: Chat, viewerId: string, { memberIds, ...draft }: RoomDraft): Promise<RoomRow> {
  const others = [...new Set(memberIds)].filter((id) => id !== viewerId);
  const create = async (trx: Trx) => {
    await lockUsers(trx, [viewerId, ...others]);
    const found = others.length > 0 ? await findUsers(trx, others) : [];
    if (found.length < others.length) throw notFound('One of these users does not exist.', 'memberIds');
    const room = (await insertRoom(trx, { ...draft, createdBy: viewerId, memberCount: 1 + others.length })) as RoomRow;
    await insertMembers(trx, room, [viewerId], 'OWNER');
    if (others.length > 0) await insertMembers(trx, room, others, 'MEMBER');
    return room;
  };
  return createOne(chat, viewerId, create, 'memberIds');
}

/** Gets or creates the DIRECT room of the viewer and another user, about `subject` if it is given. */
export async function openDirectRoom(
  chat: Chat,
  viewerId: string,
  userId: string,
  subject: string | null,
): Promise<{ room: RoomRow; created: boolean }> {
  if (userId === viewerId) throw badInput('A DIRECT room with oneself is not possible.', 'userId');
  const pair = [viewerId, userId].sort();
  const directKey = JSON.stringify([...pair, subject]);
  const open = async (trx: Trx) => {
    await lockUsers(trx, pair);
    const users = await findUsers(trx, pair);
    if (!users.some((user) => user.id === viewerId)) throw accountGone();
    if (users.length < 2) throw notFound('There is no such user.', 'userId');
    const name = pair.map((id) => users.find((user) => user.id === id)?.name).join(' and ');
    const draft: NewRoom = { kind: 'DIRECT', name, subject, createdBy: viewerId, directKey, memberCount: 2 };
    // A room that was created meanwhile is found by the next iteration, unless it has been deleted again.
    for (;;) {
      const existing = await findDirectRoom(trx, directKey);
      if (existing) return { room: existing, created: false };
      const room = await insertRoom(trx, draft);
      if (!room) continue;
      await insertMembers(trx, room, pair, 'MEMBER');
      return { room, created: true };
    }
  };
  return createOne(chat, viewerId, open, 'userId');
}

/** Runs `create` in a transaction, after the earlier changes of the viewer that are not of one room. */
function createOne<Result>(chat: Chat, viewerId: string, create: (trx: Trx) => Promise<Result>, field: string): Promise<Result> {
  const createNow = async () => {
    const result = await chat.db.transaction().execute(create);
    chat.announce();
    return result;
  };
  return requireUsers(chat.rows, viewerId, () => chat.users.lane(viewerId).run(viewerId, createNow), field);
}

/** Changes the given fields. `null` clears the description. Throws FORBIDDEN if the viewer does not own the room. */
export async function updateRoom(
  chat: Chat,
  viewerId: string,
  roomId: string,
  changes: { name?: string; description?: string | null },
): Promise<RoomRow> {
  return changeRoom(chat, viewerId, roomId, {
    check(standing) {
      requireOwnedGroup(standing, 'cannot be changed');
      return undefined;
    },
    async work(room) {
      const { name = room.row.name, description = room.row.description } = changes;
      if (name === room.row.name && description === room.row.description) return room.row;
      await room.append({ type: 'RoomUpdated' }, { name, nameFolded: fold(name), description });
      return room.row;
    },
  });
}

/** Deletes a room. Throws FORBIDDEN unless the viewer owns it, or it is a DIRECT room of theirs. */
export async function deleteRoom(chat: Chat, viewerId: string, roomId: string): Promise<void> {
  await changeRoom<void>(chat, viewerId, roomId, {
    check(standing) {
      const readable = requireReadable(standing);
      if (readable.row.kind !== 'DIRECT') requireOwner(readable);
    },
    work: endRoom,
  });
}

/** Writes the last entry of a room. The rows stay for a while, for feeds that have not delivered that entry. */
export async function endRoom(room: LockedRoom): Promise<void> {
  await room.append({ type: 'RoomDeleted' }, { deletedAt: now });
}
