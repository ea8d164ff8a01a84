// Memberships, and the mutations that create and end them.

import { addMember, joinRoom, leaveRoom, removeMember } from '../chat/members.ts';
import { notFound } from '../errors.ts';
import { encodeCursor } from '../storage/cursor.ts';
import { findRoomsWithReceipts } from '../storage/rooms.ts';
import type { MembershipRow } from '../storage/tables.ts';
import { type CountedRoom, findUnreadCounts } from '../storage/unread.ts';
import { builder } from './builder.ts';
import { type Context, requireChanger, requireViewer } from './context.ts';
import { idOf } from './input.ts';
import { loaderOf, readsOf } from './loaders.ts';
import { Membership, Room, type RoomShape, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

export const RoomRole = builder.enumType('RoomRole', {
  description: 'The rights of a member in a room.',
  values: {
    OWNER: { description: 'Updates and deletes the room, adds and removes members, deletes any message.' },
    MEMBER: { description: 'Sends messages, and edits and deletes their own.' },
  } as const,
});

export const MembershipConnection = builder.connectionObject(
  { type: Membership, name: 'MembershipConnection', description: 'A page of the members of a room, in the order in which they joined.' },
  { name: 'MembershipEdge', description: 'A membership and its place in the list.' },
);

export const NotificationLevel = builder.enumType('NotificationLevel', {
  description: 'What a member wants to be notified of in a room.',
  values: {
    ALL: { description: 'Every message.' },
    MENTIONS: { description: 'Messages that mention the member, and those of a DIRECT room.' },
    NONE: { description: 'Nothing.' },
  } as const,
});

const isMember = ({ userId }: MembershipRow, { viewer }: Context) => viewer?.userId === userId;

const counted = loaderOf(
  (roomIds, context) => findUnreadCounts(readsOf(context), requireViewer(context), roomIds),
  ({ roomId }) => roomId,
);

/**
 * Resolves a field that only the member sees. All of these, and the room of the membership, are of the snapshot in which the
 * unread messages were counted: a client counts on from the revision of that room and from that marker. Null if the membership
 * has ended since.
 */
const toMember =
  <Value>(read: (counted: CountedRoom) => Value) =>
  async (membership: MembershipRow, _args: object, context: Context): Promise<Value | null> => {
    const state = isMember(membership, context) ? await counted(context).load(membership.roomId) : null;
    return state && read(state);
  };

/** For its member, the room as its unread messages were counted. */
async function countedRoomOf(membership: MembershipRow, _args: object, context: Context): Promise<RoomShape> {
  const state = isMember(membership, context) ? await counted(context).load(membership.roomId) : null;
  return state ? { ...state.room, visible: true } : roomOf(context, membership.roomId);
}

/** Those of the rooms in which receipts are shared. Every reader of a membership of the room may know it. */
const receiptRooms = loaderOf(
  (roomIds, context) => findRoomsWithReceipts(readsOf(context), roomIds),
  ({ id }) => id,
);

async function seenThroughOf({ userId, roomId, seenNumber }: MembershipRow, _args: object, context: Context): Promise<number | null> {
  const [user, room] = await Promise.all([User.getDataloader(context).load(userId), receiptRooms(context).load(roomId)]);
  return user?.sharesReceipts && room ? seenNumber : null;
}

Membership.implement({
  description: 'Membership of a user in a room, from joining to leaving. A user who joins again gets a new membership.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description:
        'The room. For its member it is of one snapshot with unreadCount and the read marker: revision and talkCount are those that were counted.',
      extensions: dependsOnViewer,
      resolve: countedRoomOf,
    }),
    user: t.field({
      type: User,
      description: 'The member. NOT_FOUND if the account, and so the membership, was erased while the request ran.',
      resolve: async ({ userId }, _args, context) => {
        const user = await User.getDataloader(context).load(userId);
        if (!user) throw notFound('The account of this member was erased.');
        return user;
      },
    }),
    role: t.expose('role', { type: RoomRole, description: 'The rights of the member in the room.' }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'When the user joined or was added.' }),
    readThrough: t.int({
      nullable: true,
      description: 'Number of the newest message that the member has read. 0: none. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ membership }) => membership.readNumber),
    }),
    readTalkCount: t.int({
      nullable: true,
      description: 'Room.talkCount as it was at readThrough. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ membership }) => membership.readTalk),
    }),
    readCursor: t.string({
      nullable: true,
      description:
        'The read marker as a cursor: after it comes what is unread. Serves as after and before in Room.messages, where CURSOR_EXPIRED means that retention removed its position: everything that is kept is unread. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ roomId, membership: { readSeq, readTag } }) => encodeCursor(roomId, { seq: readSeq, tag: readTag })),
    }),
    readVersion: t.int({
      nullable: true,
      description:
        'Increases whenever the marker is moved back (markRoomUnread). Pass it to markRoomRead, so that a read that was under way does not undo it. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ membership }) => membership.readVersion),
    }),
    unreadCount: t.int({
      nullable: true,
      description:
        'Unread TALK messages of others that are not deleted. Exact up to 100; above that, the viewer’s own messages after the marker are counted too. Null for other viewers. Depends on the viewer.',
      extensions: dependsOnViewer,
      resolve: toMember(({ count }) => count),
    }),
    seenThrough: t.int({
      nullable: true,
      description:
        'Highest message number this member has ever read, for read receipts. Null where the member does not share it, or the room has more than 100 members. The same for every viewer.',
      resolve: seenThroughOf,
    }),
    notificationLevel: t.field({
      type: NotificationLevel,
      nullable: true,
      description: 'What the viewer wants to be notified of. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ membership }) => membership.notificationLevel),
    }),
    mutedUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Notifications and totals leave the room out until then. Null, or in the past: not muted. Null for other viewers.',
      extensions: dependsOnViewer,
      resolve: toMember(({ membership }) => membership.mutedUntil),
    }),
  }),
});

builder.relayMutationField(
  'joinRoom',
  {
    description: 'Input of joinRoom.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
    }),
  },
  {
    description: 'Joins an OPEN room. Joining again returns the existing membership. NOT_FOUND if the viewer may not see the room.',
    resolve: async (_mutation, { input: { roomId } }, context) => {
      const user = await requireChanger(context);
      await context.limits.take('joinOrLeave', { user, room: roomId });
      return { membership: await joinRoom(context.chat, user, roomId) };
    },
  },
  {
    description: 'Payload of joinRoom.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The membership of the viewer.' }),
    }),
  },
);

builder.relayMutationField(
  'addMember',
  {
    description: 'Input of addMember.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
      userId: t.id({ required: true, description: 'The user to add.', validate: idOf('user') }),
    }),
  },
  {
    description:
      'The owner of a PRIVATE or OPEN room brings someone in. Adding a member again returns the existing membership. FORBIDDEN for anyone but the owner.',
    resolve: async (_mutation, { input }, context) => {
      const user = await requireChanger(context);
      await context.limits.take('invite', { user });
      return { membership: await addMember(context.chat, user, input.roomId, input.userId) };
    },
  },
  {
    description: 'Payload of addMember.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The membership of the added user.' }),
    }),
  },
);

builder.relayMutationField(
  'removeMember',
  {
    description: 'Input of removeMember.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
      userId: t.id({ required: true, description: 'The member to remove.', validate: idOf('user') }),
    }),
  },
  {
    description:
      'The owner of a PRIVATE or OPEN room removes someone. Their streams of a PRIVATE room end. FORBIDDEN for anyone but the owner.',
    resolve: async (_mutation, { input }, context) => {
      const room = await removeMember(context.chat, await requireChanger(context), input.roomId, input.userId);
      return { room: { ...room, visible: true }, removedUserId: input.userId };
    },
  },
  {
    description: 'Payload of removeMember.',
    outputFields: (t) => ({
      room: t.expose('room', { type: Room, description: 'The room after the removal.' }),
      removedUserId: t.exposeID('removedUserId', { description: 'The user who was removed.' }),
    }),
  },
);

builder.relayMutationField(
  'leaveRoom',
  {
    description: 'Input of leaveRoom.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
    }),
  },
  {
    description:
      'Leaves a room. The place of an owner goes to the member who joined first. A PRIVATE room ends with its last member; a DIRECT one is deleted, not left (BAD_USER_INPUT).',
    resolve: async (_mutation, { input }, context) => {
      const user = await requireChanger(context);
      await context.limits.take('joinOrLeave', { user, room: input.roomId });
      const room = await leaveRoom(context.chat, user, input.roomId);
      return { roomId: input.roomId, room: room ? { ...room, visible: true } : null };
    },
  },
  {
    description: 'Payload of leaveRoom.',
    outputFields: (t) => ({
      roomId: t.exposeID('roomId', { description: 'The room that was left.' }),
      room: t.expose('room', {
        type: Room,
        nullable: true,
        description: 'The room after leaving, as the viewer sees it. Null when it is no longer visible to them.',
      }),
    }),
  },
);
