// The mutations by which viewers change their own settings: updateMembership and updateViewer.

import { z } from 'zod';
import { updateMembership, updateViewer } from '../chat/account.ts';
import { badInput, forbidden } from '../errors.ts';
import { builder } from './builder.ts';
import { requireChanger } from './context.ts';
import { httpsUrl, idOf, limits, visibleName } from './input.ts';
import { NotificationLevel } from './membership.ts';
import { Membership } from './node.ts';
import { Viewer } from './user.ts';

builder.relayMutationField(
  'updateMembership',
  {
    description: 'Input of updateMembership. An absent field stays as it is.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room. The viewer must be a member of it.', validate: idOf('room') }),
      notificationLevel: t.field({
        type: NotificationLevel,
        description: 'What the viewer wants to be notified of. Null is BAD_USER_INPUT.',
      }),
      mutedUntil: t.field({
        type: 'DateTime',
        description: 'Notifications and totals leave the room out until then, of the year 1970 or later. Null unmutes.',
        validate: z.date().min(new Date(0), 'must be of the year 1970 or later'),
      }),
    }),
  },
  {
    description: 'Changes the viewer’s own notification settings for a room. NOT_FOUND if the viewer is not a member.',
    resolve: async (_mutation, { input: { roomId, notificationLevel, mutedUntil } }, context) => {
      if (notificationLevel === null) throw badInput('notificationLevel cannot be null: omit it to keep it.', 'notificationLevel');
      const changes = {
        ...(notificationLevel === undefined ? {} : { notificationLevel }),
        ...(mutedUntil === undefined ? {} : { mutedUntil }),
      };
      return { membership: await updateMembership(context.chat, await requireChanger(context), roomId, changes) };
    },
  },
  {
    description: 'Payload of updateMembership.',
    outputFields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'The membership of the viewer, with the new settings.' }),
    }),
  },
);

builder.relayMutationField(
  'updateViewer',
  {
    description: 'Input of updateViewer. An absent field stays as it is.',
    inputFields: (t) => ({
      name: t.string({
        description: `New display name, 1 to ${limits.userName} characters after normalization, as in signIn: a name that only looks like that of another guest gets a short suffix. Null is BAD_USER_INPUT.`,
        validate: visibleName(limits.userName),
      }),
      avatarUrl: t.string({
        description: `URL of the picture: https, at most ${limits.url} characters. Null removes the picture.`,
        validate: httpsUrl(limits.url),
      }),
      sharesReceipts: t.boolean({ description: 'Whether others may see what the viewer has read. Null is BAD_USER_INPUT.' }),
    }),
  },
  {
    description:
      'Changes the viewer’s name, picture and receipts. With IDENTITY=jwt the name comes from the token: FORBIDDEN. The label of a DIRECT room keeps the name that the viewer had when it was created.',
    resolve: async (_mutation, { input: { name, avatarUrl, sharesReceipts } }, context) => {
      if (name === null) throw badInput('name cannot be null: omit it to keep it.', 'name');
      if (sharesReceipts === null) throw badInput('sharesReceipts cannot be null: omit it to keep it.', 'sharesReceipts');
      const userId = await requireChanger(context);
      if (name !== undefined && context.identity.mode !== 'guest') throw forbidden('The name of the viewer comes from the token.');
      await updateViewer(context.chat, userId, {
        ...(name === undefined ? {} : { name }),
        ...(avatarUrl === undefined ? {} : { avatarUrl }),
        ...(sharesReceipts === undefined ? {} : { sharesReceipts }),
      });
      return { viewer: { userId } };
    },
  },
  {
    description: 'Payload of updateViewer.',
    outputFields: (t) => ({ viewer: t.expose('viewer', { type: Viewer, description: 'The viewer after the change.' }) }),
  },
);
