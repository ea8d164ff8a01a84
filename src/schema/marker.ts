// The mutations that move read markers: markRoomRead, markRoomUnread and markAllRead.

import { markAllRead, markRoomRead, markRoomUnread } from '../chat/markers.ts';
import { builder } from './builder.ts';
import { type Context, requireChanger } from './context.ts';
import { idOf } from './input.ts';
import { Membership } from './node.ts';
import { UnreadTotals, unreadTotalsOf } from './unread.ts';

/** The user id of a viewer who moves markers. Takes a point of that limit too. */
async function requireReader(context: Context): Promise<string> {
  const user = await requireChanger(context);
  await context.limits.take('marker', { user });
  return user;
}

builder.relayMutationField(
  'markRoomRead',
  {
    description: 'Input of markRoomRead.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room. The viewer must be a member of it.', validate: idOf('room') }),
      upTo: t.string({
        required: true,
        description: 'Message.cursor, the cursor of an event, or a syncCursor of this room.',
      }),
      readVersion: t.int({
        description:
          'Membership.readVersion as the client knows it. If it is out of date, nothing changes and the current membership is returned.',
      }),
    }),
  },
  {
    description:
      'Moves the read marker forward, never back, so that late or repeated calls and several devices do no harm. NOT_FOUND if the viewer is not a member; CURSOR_INVALID for another room’s cursor; CURSOR_EXPIRED if its entry is no longer kept.',
    resolve: async (_mutation, { input: { roomId, upTo, readVersion } }, context) => {
      const user = await requireReader(context);
      return { membership: await markRoomRead(context.chat, user, roomId, upTo, readVersion ?? undefined) };
    },
  },
  {
    description: 'Payload of markRoomRead.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The membership of the viewer, with the current marker.' }),
    }),
  },
);

builder.relayMutationField(
  'markRoomUnread',
  {
    description: 'Input of markRoomUnread.',
    inputFields: (t) => ({
      messageId: t.id({
        required: true,
        description: 'The message that becomes the first one after the marker.',
        validate: idOf('message'),
      }),
    }),
  },
  {
    description:
      'Moves the read marker to just before a message, and increases readVersion. NOT_FOUND if there is no such message, retention removed it, or the viewer is not a member of its room.',
    resolve: async (_mutation, { input: { messageId } }, context) => ({
      membership: await markRoomUnread(context.chat, await requireReader(context), messageId),
    }),
  },
  {
    description: 'Payload of markRoomUnread.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The membership of the viewer, with the new marker.' }),
    }),
  },
);

builder.relayMutationField(
  'markAllRead',
  null,
  {
    description: 'Marks all rooms of the viewer as read up to the moment of this call, muted ones too.',
    resolve: async (_mutation, _args, context) => {
      const userId = await requireReader(context);
      await markAllRead(context.chat, userId);
      return { userId };
    },
  },
  {
    description: 'Payload of markAllRead.',
    outputFields: (t) => ({
      unread: t.field({
        type: UnreadTotals,
        description: 'The totals after it. Above 0 if messages were sent meanwhile.',
        resolve: (viewer, _args, context) => unreadTotalsOf(viewer, context),
      }),
    }),
  },
);
