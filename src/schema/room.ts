// Rooms, the list of rooms, and the mutations that create, change and delete rooms.

import { z } from 'zod';
import { createRoom, deleteRoom, openDirectRoom, updateRoom } from '../chat/rooms.ts';
import { badInput } from '../errors.ts';
import { encodeCursor, encodeMoment } from '../storage/cursor.ts';
import { findMembershipsOf, findPeers, listMembers, memberCursor } from '../storage/members.ts';
import { findLastMessages, listMessages, messageCursor } from '../storage/messages.ts';
import { listRooms, roomCursor } from '../storage/rooms.ts';
import { builder, toConnection } from './builder.ts';
import { requireChanger, requireViewer } from './context.ts';
import { costOfPage, costOfText } from './cost.ts';
import { idOf, limits, line, partOfName, text, visibleName } from './input.ts';
import { loaderOf, readsOf } from './loaders.ts';
import { MembershipConnection } from './membership.ts';
import { MessageConnection } from './message.ts';
import { findRoom, Membership, Message, Room, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

const RoomKind = builder.enumType('RoomKind', {
  description: 'Who may see a room and how they become members. The kind of a room never changes.',
  values: {
    OPEN: { description: 'Listed; any signed-in user may read and join.' },
    PRIVATE: { description: 'Unlisted; members only, by invitation.' },
    DIRECT: { description: 'Two members, one room per pair and subject.' },
  } as const,
});

const roomIdOf = (row: { roomId: string }) => row.roomId;
const peers = loaderOf((ids, context) => findPeers(readsOf(context), requireViewer(context), ids), roomIdOf);
const viewerMemberships = loaderOf((ids, context) => {
  const viewerId = requireViewer(context);
  return findMembershipsOf(readsOf(context), viewerId, viewerId, ids);
}, roomIdOf);
const lastMessages = loaderOf((ids, context) => findLastMessages(readsOf(context), requireViewer(context), ids), roomIdOf);

Room.implement({
  description: 'A chat room. For a viewer who may not see it, it does not exist.',
  fields: (t) => ({
    kind: t.expose('kind', { type: RoomKind, description: 'Who may see the room and how they become members.' }),
    name: t.exposeString('name', {
      description: 'For a DIRECT room a label made of both names, the same for everyone; a client shows peer instead.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      complexity: costOfText(limits.description),
      description: 'Purpose of the room, written by its owner.',
    }),
    subject: t.exposeString('subject', {
      nullable: true,
      description: 'What the room is about in the host application, such as trade:42.',
    }),
    createdBy: t.field({
      type: User,
      nullable: true,
      description: 'The user who created the room. Null once the account was erased.',
      resolve: ({ createdBy }) => createdBy,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the room was created.' }),
    lastActiveAt: t.expose('lastActiveAt', {
      type: 'DateTime',
      description:
        'When the newest TALK message was sent, or the room was created. What RECENTLY_ACTIVE sorts by; joining and leaving do not move it.',
    }),
    memberCount: t.exposeInt('memberCount', { description: 'Number of members.' }),
    talkCount: t.exposeInt('talkCount', {
      description:
        'Number of TALK messages ever sent to this room. Deleting a message does not lower it. Unread counts are differences of it. Of messages from before the server counted, those about joining and leaving count too.',
    }),
    revision: t.int({
      description: 'Increases with every change of the room. Of two states of a room, the one with the higher revision is the newer.',
      resolve: ({ headSeq }) => headSeq,
    }),
    peer: t.field({
      type: User,
      nullable: true,
      description: 'The other member of a DIRECT room, for its title and picture. Null in other rooms. Depends on the viewer.',
      extensions: dependsOnViewer,
      resolve: async (room, _args, context) => {
        if (!room.visible || room.kind !== 'DIRECT') return null;
        return (await peers(context).load(room.id))?.userId ?? null;
      },
    }),
    viewerMembership: t.field({
      type: Membership,
      nullable: true,
      description: 'The membership of the viewer. Null when the viewer is not a member.',
      extensions: dependsOnViewer,
      resolve: async (room, _args, context) => {
        if (!room.visible) return null;
        if (!room.isForMembers) return viewerMemberships(context).load(room.id);
        return (await context.storage.rows.standing(requireViewer(context), room.id))?.membership ?? null;
      },
    }),
    lastMessage: t.field({
      type: Message,
      nullable: true,
      complexity: costOfText(limits.body),
      description: 'The newest TALK message that is not deleted.',
      resolve: async (room, _args, context) => {
        if (!room.visible) return null;
        return (room.isForMembers ? await context.storage.rows.lastMessage(room.id) : await lastMessages(context).load(room.id)) ?? null;
      },
    }),
    members: t.field({
      type: MembershipConnection,
      description: 'The members, in the order in which they joined.',
      args: t.arg.connectionArgs(),
      complexity: costOfPage(),
      resolve: async (room, args, context) =>
        toConnection(await listMembers(readsOf(context), requireViewer(context), room.id, args), memberCursor),
    }),
    messages: t.field({
      type: MessageConnection,
      description:
        'In room order, whichever end is asked for. With neither first nor last: the last 20, or with after the first 20 beyond it. hasNextPage and hasPreviousPage are both exact. Deleted messages stay in place as tombstones; what retention removed is gone. CURSOR_INVALID if the cursor belongs to another room; CURSOR_EXPIRED if its position is no longer kept.',
      args: t.arg.connectionArgs(),
      complexity: costOfPage(costOfText(limits.body)),
      resolve: async (room, args, context) => {
        const page = await listMessages(readsOf(context), requireViewer(context), room.id, args);
        return { ...toConnection(page, messageCursor), syncCursor: encodeCursor(room.id, page.sync) };
      },
    }),
  }),
});

const RoomConnection = builder.connectionObject(
  {
    type: Room,
    name: 'RoomConnection',
    description: 'A page of rooms.',
    fields: (t) => ({
      syncCursor: t.string({
        description:
          'Position of this page among all changes to rooms, from the page’s own snapshot. Pass it as after to viewerEvents once; nothing is lost between page and stream.',
        resolve: (page) => (page as unknown as { syncCursor: string }).syncCursor,
      }),
    }),
  },
  { name: 'RoomEdge', description: 'A room and its place in the list.' },
);

const RoomFilter = builder.inputType('RoomFilter', {
  description: 'Conditions on rooms. A room must meet all of them.',
  fields: (t) => ({
    kind: t.field({ type: RoomKind, description: 'Only rooms of this kind.' }),
    joined: t.boolean({ description: 'True: only rooms that the viewer is a member of. False: only rooms that they are not a member of.' }),
    nameContains: t.string({
      description:
        'Only rooms whose name contains this text. Case-insensitive. For a DIRECT room it is the name of the peer that counts. A text of one or two letters is looked for in the first 10,000 OPEN rooms of the list.',
      validate: partOfName(limits.roomName),
    }),
    subject: t.string({ description: 'Only rooms with exactly this subject.', validate: text(limits.subject) }),
    unread: t.boolean({
      description: 'True: only rooms with unread messages that are not muted. False has no effect.',
    }),
  }),
});

const RoomOrder = builder.enumType('RoomOrder', {
  description: 'Sort order of a list of rooms.',
  values: {
    RECENTLY_ACTIVE: { description: 'By lastActiveAt, newest first.' },
    NEWEST: { description: 'By createdAt, newest first.' },
    NAME: { description: 'By name, case-insensitive.' },
  } as const,
});

builder.queryFields((t) => ({
  room: t.field({
    type: Room,
    nullable: true,
    description: 'Null when there is no such room, or the viewer may not see it; the two look alike.',
    args: { id: t.arg.id({ required: true, description: 'Global id of the room.', validate: idOf('room') }) },
    resolve: (_query, { id }, context) => findRoom(context, id),
  }),
  rooms: t.field({
    type: RoomConnection,
    nullable: true,
    description:
      'The rooms that the viewer may see: every OPEN room, and those the viewer is a member of. Null with UNAUTHENTICATED without a token, so that what was asked for beside it is still answered.',
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: RoomFilter, description: 'Return only rooms that match.' }),
      orderBy: t.arg({ type: RoomOrder, required: true, defaultValue: 'RECENTLY_ACTIVE', description: 'Sort order.' }),
    },
    complexity: costOfPage(),
    resolve: async (_query, { filter, orderBy, ...args }, context) => {
      const page = await listRooms(readsOf(context), requireViewer(context), args, filter ?? {}, orderBy);
      const rooms = { ...page, rows: page.rows.map((row) => ({ ...row, visible: true })) };
      return { ...toConnection(rooms, (row) => roomCursor(orderBy, row)), syncCursor: encodeMoment(page.moment) };
    },
  }),
}));

builder.relayMutationField(
  'createRoom',
  {
    description: 'Input of createRoom. kind DIRECT is BAD_USER_INPUT here: use openDirectRoom.',
    inputFields: (t) => ({
      name: t.string({
        required: true,
        description: `Name of the room, 1 to ${limits.roomName} characters after normalization: NFKC, without invisible characters.`,
        validate: visibleName(limits.roomName),
      }),
      description: t.string({
        description: `Purpose of the room, at most ${limits.description} characters.`,
        validate: text(limits.description),
      }),
      kind: t.field({ type: RoomKind, required: true, defaultValue: 'OPEN', description: 'OPEN or PRIVATE.' }),
      memberIds: t.idList({
        description: `Initial members besides the viewer; at most ${limits.memberIds}. NOT_FOUND if one of the users does not exist.`,
        validate: z.array(idOf('user')).max(limits.memberIds, `must be at most ${limits.memberIds} users`),
      }),
      subject: t.string({
        description: `What the room is about in the host application, such as trade:42; at most ${limits.subject} characters.`,
        validate: line(limits.subject),
      }),
    }),
  },
  {
    description: 'Creates a room that the viewer owns.',
    resolve: async (_mutation, { input }, context) => {
      const { kind, memberIds, ...draft } = input;
      if (kind === 'DIRECT') throw badInput('Use openDirectRoom for a DIRECT room.', 'kind');
      const user = await requireChanger(context);
      await context.limits.take('createRoom', { user });
      const room = await createRoom(context.chat, user, {
        ...draft,
        kind,
        memberIds: memberIds ?? [],
      });
      return { room: { ...room, visible: true } };
    },
  },
  {
    description: 'Payload of createRoom.',
    outputFields: (t) => ({ room: t.expose('room', { type: Room, description: 'The new room.' }) }),
  },
);

builder.relayMutationField(
  'openDirectRoom',
  {
    description: 'Input of openDirectRoom.',
    inputFields: (t) => ({
      userId: t.id({ required: true, description: 'The other member.', validate: idOf('user') }),
      subject: t.string({
        description: `What the room is about in the host application, at most ${limits.subject} characters. Each subject has a room of its own.`,
        validate: line(limits.subject),
      }),
    }),
  },
  {
    description: 'Gets or creates. The same pair and subject give the same room until it is deleted. With oneself: BAD_USER_INPUT.',
    resolve: async (_mutation, { input }, context) => {
      const user = await requireChanger(context);
      await context.limits.take('invite', { user });
      const { room, created } = await openDirectRoom(context.chat, user, input.userId, input.subject ?? null);
      return { room: { ...room, visible: true }, created };
    },
  },
  {
    description: 'Payload of openDirectRoom.',
    outputFields: (t) => ({
      room: t.expose('room', { type: Room, description: 'The room of the two users.' }),
      created: t.exposeBoolean('created', { description: 'True if this call created the room.' }),
    }),
  },
);

builder.relayMutationField(
  'updateRoom',
  {
    description: 'Input of updateRoom. An absent field stays as it is. description: null removes the description.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }),
      name: t.string({
        description: `New name, 1 to ${limits.roomName} characters after normalization, as in createRoom.`,
        validate: visibleName(limits.roomName),
      }),
      description: t.string({
        description: `New description, at most ${limits.description} characters. Null clears it.`,
        validate: text(limits.description),
      }),
    }),
  },
  {
    description: 'Changes a room. FORBIDDEN for anyone but its owner; BAD_USER_INPUT for a DIRECT room.',
    resolve: async (_mutation, { input: { roomId, name, description } }, context) => {
      if (name === null) throw badInput('The name of a room cannot be null.', 'name');
      const changes = { ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) };
      const room = await updateRoom(context.chat, await requireChanger(context), roomId, changes);
      return { room: { ...room, visible: true } };
    },
  },
  {
    description: 'Payload of updateRoom.',
    outputFields: (t) => ({ room: t.expose('room', { type: Room, description: 'The changed room.' }) }),
  },
);

builder.relayMutationField(
  'deleteRoom',
  {
    description: 'Input of deleteRoom.',
    inputFields: (t) => ({ roomId: t.id({ required: true, description: 'The room.', validate: idOf('room') }) }),
  },
  {
    description: 'Deletes a room and completes its streams. FORBIDDEN for anyone but its owner; either member may delete a DIRECT room.',
    resolve: async (_mutation, { input: { roomId } }, context) => {
      await deleteRoom(context.chat, await requireChanger(context), roomId);
      return { deletedRoomId: roomId };
    },
  },
  {
    description: 'Payload of deleteRoom.',
    outputFields: (t) => ({ deletedRoomId: t.exposeID('deletedRoomId', { description: 'The id of the deleted room.' }) }),
  },
);
