// Objects with a global id. Each type is loaded in batches, and the statement that loads it checks the viewer's right.

import { isWellFormed, kindOf } from '../storage/id.ts';
import { findMemberships } from '../storage/members.ts';
import { findReadableMessages } from '../storage/messages.ts';
import { findRooms } from '../storage/rooms.ts';
import type { MembershipRow, MessageRow, RoomKind, RoomRow, UserRow } from '../storage/tables.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { readsOf } from './loaders.ts';

const id = { resolve: (row: { id: string }) => row.id };
const toKey = (row: { id: string }) => row.id;

export const User = builder.loadableNodeRef<UserRow>('User', {
  id,
  toKey,
  sort: true,
  load: (ids: string[], { storage }: Context) => storage.rows.users(ids.filter(isWellFormed)),
});

/** A room, and whether the viewer may read it. If they may not, only its id and kind are shown. */
export type RoomShape = RoomRow & {
  readonly visible: boolean;
  /** In events of account streams. They are delivered only to those who are members after everything in them was read. */
  readonly isForMembers?: true;
};

export const Room = builder.loadableNodeRef<RoomShape>('Room', {
  id,
  toKey,
  sort: true,
  load: async (ids: string[], context: Context): Promise<RoomShape[]> =>
    context.viewer ? findRooms(readsOf(context), context.viewer.userId, ids.filter(isWellFormed)) : [],
});

export const Membership = builder.loadableNodeRef<MembershipRow>('Membership', {
  id,
  toKey,
  sort: true,
  load: async (ids: string[], context: Context) =>
    context.viewer ? findMemberships(readsOf(context), context.viewer.userId, ids.filter(isWellFormed)) : [],
});

export const Message = builder.loadableNodeRef<MessageRow>('Message', {
  id,
  toKey,
  sort: true,
  load: async (ids: string[], context: Context) =>
    context.viewer ? findReadableMessages(readsOf(context), context.viewer.userId, ids.filter(isWellFormed)) : [],
});

/** The room, if the viewer may read it. */
export async function findRoom(context: Context, roomId: string): Promise<RoomShape | null> {
  const room = await Room.getDataloader(context).load(roomId);
  return room?.visible ? room : null;
}

/**
 * The room of an object that the viewer was allowed to read. If the viewer has lost that right since, or the room was
 * deleted, only its id and kind are shown: the viewer may read the object, but not the current state of the room.
 */
export async function roomOf(context: Context, roomId: string): Promise<RoomShape> {
  const room = await Room.getDataloader(context).load(roomId);
  return room?.visible ? room : withheld(roomId, room?.kind ?? 'PRIVATE');
}

const withheld = (id: string, kind: RoomKind): RoomShape => ({
  id,
  kind,
  visible: false,
  name: '',
  nameFolded: '',
  description: null,
  subject: null,
  directKey: null,
  createdBy: null,
  createdAt: new Date(0),
  lastActiveAt: new Date(0),
  deletedAt: null,
  memberCount: 0,
  lastNumber: 0,
  headSeq: 0,
  headTag: 0,
  floorSeq: 0,
  floorTag: 0,
  floorNumber: 0,
  oldestAt: null,
  talkCount: 0,
  floorTalkCount: 0,
  lastDeletedNumber: 0,
});

builder.queryField('node', (t) =>
  t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'The object with this id. Null when there is no such object, or the viewer may not see it; the two look alike.',
    args: { id: t.arg.id({ required: true, description: 'Global id of a User, Room, Membership or Message.' }) },
    resolve: (_query, args, context) => (context.viewer ? findNode(context, args.id) : null),
  }),
);

async function findNode(context: Context, nodeId: string) {
  switch (kindOf(nodeId)) {
    case 'user': {
      const user = await User.getDataloader(context).load(nodeId);
      return user && { ...user, __typename: 'User' };
    }
    case 'room': {
      const room = await findRoom(context, nodeId);
      return room && { ...room, __typename: 'Room' };
    }
    case 'membership': {
      const membership = await Membership.getDataloader(context).load(nodeId);
      return membership && { ...membership, __typename: 'Membership' };
    }
    case 'message': {
      const message = await Message.getDataloader(context).load(nodeId);
      return message && { ...message, __typename: 'Message' };
    }
    case undefined:
      return null;
  }
}
