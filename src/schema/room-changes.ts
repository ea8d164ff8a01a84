// The mutations that create, change and delete rooms.

import { z } from 'zod';
import { createRoom, deleteRoom, openDirectRoom, updateRoom } from '../chat/rooms.ts';
import { badInput } from '../errors.ts';
import { builder } from './builder.ts';
import { requireChanger } from './context.ts';
import { idOf, limits, line, text, visibleName } from './input.ts';
import { Room } from './node.ts';
import { RoomKind } from './room.ts';

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
