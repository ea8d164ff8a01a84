// Memberships, and the mutations that create and end them.

import { addMember, joinRoom, leaveRoom, removeMember } from '../chat/members.ts';
import { notFound } from '../errors.ts';
import { builder } from './builder.ts';
import { requireChanger } from './context.ts';
import { idOf } from './input.ts';
import { Membership, Room, roomOf, User } from './node.ts';
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

Membership.implement({
  description: 'Membership of a user in a room, from joining to leaving. A user who joins again gets a new membership.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room.',
      extensions: dependsOnViewer,
      resolve: ({ roomId }, _args, context) => roomOf(context, roomId),
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
