// Who is in a room, and how to get in and out.

import { addMember, joinRoom, leaveRoom, removeMember } from '../chat/members.ts';
import { builder } from './builder.ts';
import { requireViewer } from './context.ts';
import { idOf } from './input.ts';
import { findRoom, getRoom, Membership, Room, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

export const RoomRole = builder.enumType('RoomRole', {
  description: 'What a member may do in a room.',
  values: {
    OWNER: { description: 'Updates and deletes the room, adds and removes members, deletes any message.' },
    MEMBER: { description: 'Sends, and edits and deletes what they sent.' },
  } as const,
});

export const MembershipConnection = builder.connectionObject(
  { type: Membership, name: 'MembershipConnection', description: 'A page of the members of a room, in the order in which they joined.' },
  { name: 'MembershipEdge', description: 'A membership and its place in the list.' },
);

Membership.implement({
  description: 'The place of a user in a room, from joining to leaving. Whoever joins again gets a new one.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room.',
      extensions: dependsOnViewer,
      resolve: ({ roomId }, _args, context) => roomOf(context, roomId),
    }),
    user: t.field({ type: User, description: 'The member.', resolve: ({ userId }) => userId }),
    role: t.expose('role', { type: RoomRole, description: 'What they may do in the room.' }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'When they joined, or were brought in.' }),
  }),
});

builder.relayMutationField(
  'joinRoom',
  {
    description: 'Which room to join.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
    }),
  },
  {
    description:
      'Joins an OPEN room. Joining again answers with the membership that is there. NOT_FOUND where the viewer may not see the room.',
    resolve: async (_mutation, { input }, context) => ({
      membership: await joinRoom(context.chat, requireViewer(context), input.roomId),
    }),
  },
  {
    description: 'What joinRoom answers.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The place of the viewer in the room.' }),
    }),
  },
);

builder.relayMutationField(
  'addMember',
  {
    description: 'Whom to bring in.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
      userId: t.id({ required: true, description: 'Who is to be a member.', validate: idOf('user') }),
    }),
  },
  {
    description:
      'The owner of a PRIVATE or OPEN room brings someone in. Bringing in a member answers with the membership that is there. FORBIDDEN for others than the owner.',
    resolve: async (_mutation, { input }, context) => ({
      membership: await addMember(context.chat, requireViewer(context), input.roomId, input.userId),
    }),
  },
  {
    description: 'What addMember answers.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The place of the new member in the room.' }),
    }),
  },
);

builder.relayMutationField(
  'removeMember',
  {
    description: 'Whom to remove.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
      userId: t.id({ required: true, description: 'Who is to be a member no more.', validate: idOf('user') }),
    }),
  },
  {
    description:
      'The owner of a PRIVATE or OPEN room removes someone. Their streams of a PRIVATE room end. FORBIDDEN for others than the owner.',
    resolve: async (_mutation, { input }, context) => {
      await removeMember(context.chat, requireViewer(context), input.roomId, input.userId);
      return { room: await getRoom(context, input.roomId), removedUserId: input.userId };
    },
  },
  {
    description: 'What removeMember answers.',
    outputFields: (t) => ({
      room: t.expose('room', { type: Room, description: 'The room, without them.' }),
      removedUserId: t.exposeID('removedUserId', { description: 'Who was removed.' }),
    }),
  },
);

builder.relayMutationField(
  'leaveRoom',
  {
    description: 'Which room to leave.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
    }),
  },
  {
    description:
      'Leaves a room. The place of an owner goes to the member who joined first. A PRIVATE room ends with its last member; a DIRECT one is deleted, not left (BAD_USER_INPUT).',
    resolve: async (_mutation, { input }, context) => {
      await leaveRoom(context.chat, requireViewer(context), input.roomId);
      return { roomId: input.roomId, room: await findRoom(context, input.roomId) };
    },
  },
  {
    description: 'What leaveRoom answers.',
    outputFields: (t) => ({
      roomId: t.exposeID('roomId', { description: 'The room that was left.' }),
      room: t.expose('room', {
        type: Room,
        nullable: true,
        description: 'As the viewer sees it now. Null when it is no longer visible to them.',
      }),
    }),
  },
);
