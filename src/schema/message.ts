// Messages, and the mutations that send, edit and delete them.

import { deleteMessage, editMessage, sendMessage } from '../chat/messages.ts';
import { messageCursor } from '../storage/messages.ts';
import type { MessageRow } from '../storage/tables.ts';
import { builder } from './builder.ts';
import { requireChanger, requireViewer } from './context.ts';
import { costOfText } from './cost.ts';
import { idOf, limits, line, visibleText } from './input.ts';
import { Message, Room, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

const MessageKind = builder.enumType('MessageKind', {
  description: 'Kind of a message.',
  values: {
    TALK: { description: 'A message that a member sent.' },
    ENTER: { description: 'Someone joined. Clients render the text. Written each time someone joins.' },
    LEAVE: { description: 'Someone left. Clients render the text.' },
  } as const,
});

const DeletionReason = builder.enumType('DeletionReason', {
  description: 'Who deleted a message.',
  values: {
    BY_SENDER: { description: 'The sender deleted it.' },
    BY_OWNER: { description: 'The owner of the room deleted it.' },
  } as const,
});

Message.implement({
  description: 'A message of a room: either sent by a member, or written by the server when someone joins or leaves.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room of the message.',
      extensions: dependsOnViewer,
      resolve: ({ roomId }, _args, context) => roomOf(context, roomId),
    }),
    kind: t.expose('kind', { type: MessageKind, description: 'Sent by a member, or written by the server for joining or leaving.' }),
    number: t.exposeInt('number', {
      description:
        'Numbers the messages of the room: 1, 2, 3 …, without gaps. A number is never reused. A viewer may see fewer messages, for example after retention: use the cursor of the stream, not this number, to detect missed messages.',
    }),
    cursor: t.string({
      description: 'Position in the room. Opaque. Serves as after in messageAdded, roomEvents and Room.messages alike.',
      resolve: messageCursor,
    }),
    sender: t.field({
      type: User,
      nullable: true,
      description: 'The sender; for ENTER and LEAVE, the user who joined or left. Null once the account was erased.',
      resolve: ({ senderId }) => senderId,
    }),
    body: t.exposeString('body', {
      nullable: true,
      complexity: costOfText(limits.body),
      description: 'The text. Null for ENTER and LEAVE, and once deleted (see deletedAt).',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was sent, by the clock of the database.' }),
    editedAt: t.expose('editedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last edited. Null if it was never edited.',
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted; the message is then a tombstone. Null if it is not deleted.',
    }),
    deletionReason: t.expose('deletionReason', {
      type: DeletionReason,
      nullable: true,
      description: 'Who deleted it. Null if it is not deleted, or if retention deleted it.',
    }),
    clientMessageId: t.exposeID('clientMessageId', {
      nullable: true,
      description:
        'Seen by everyone in the room. The key that the sender gave with sendMessage, so that the sender’s client knows its own message again.',
    }),
  }),
});

export const MessageEdge = builder.edgeObject({
  type: Message,
  name: 'MessageEdge',
  description: 'A message and its position in the room.',
});

export const MessageConnection = builder.connectionObject(
  {
    type: Message,
    name: 'MessageConnection',
    description: 'A page of the messages of a room, in room order.',
    fields: (t) => ({
      syncCursor: t.string({
        description:
          'The newest position of the room when this page was read, from the same snapshot. Take it once, from the page that opens the view, and subscribe with it: nothing is missed between the page and the stream. A cache that merges pages has the syncCursor of the page that was read last, which is ahead of the stream: do not subscribe with it.',
        resolve: (page) => (page as unknown as { syncCursor: string }).syncCursor,
      }),
    }),
  },
  MessageEdge,
);

/** The edge of a message, as a page has it. */
export const toEdge = (node: MessageRow) => ({ node, cursor: messageCursor(node) });

builder.relayMutationField(
  'sendMessage',
  {
    description: 'Input of sendMessage.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room. The viewer must be a member of it.', validate: idOf('room') }),
      body: t.string({
        required: true,
        description: `The text, 1 to ${limits.body} characters, at least one of them visible. Stored as written.`,
        validate: visibleText(limits.body),
      }),
      clientMessageId: t.id({
        description: `Idempotency key, unique per sender and kept as long as the message is: a retry answers with the first message, whichever node it reaches and however late. The same key with another room or body is CONFLICT. Use a UUID. At most ${limits.clientMessageId} characters.`,
        validate: line(limits.clientMessageId),
      }),
      marksRead: t.boolean({
        required: true,
        defaultValue: true,
        description:
          'Whether sending marks everything before this message as read by the sender, within a second. False for messages that a program sends in someone’s name.',
      }),
    }),
  },
  {
    description:
      'Sends a message. When it answers, the message is stored and will reach everyone who watches the room. FORBIDDEN if the viewer can see the room but is not a member. After UNAVAILABLE, retry with the same clientMessageId.',
    resolve: async (_mutation, { input }, context) => {
      const user = requireViewer(context);
      await Promise.all([context.limits.take('send', { user }), context.limits.take('sendInRoom', { user, room: input.roomId })]);
      return sendMessage(context.chat, user, input);
    },
  },
  {
    description: 'Payload of sendMessage.',
    outputFields: (t) => ({
      message: t.expose('message', { type: Message, description: 'The stored message.' }),
      edge: t.field({
        type: MessageEdge,
        description: 'The stored message and its position in the room, for caches that append edges.',
        resolve: ({ message }) => toEdge(message),
      }),
      deduplicated: t.exposeBoolean('deduplicated', {
        description: 'True when clientMessageId matched an earlier send and nothing new was written.',
      }),
    }),
  },
);

builder.relayMutationField(
  'editMessage',
  {
    description: 'Input of editMessage.',
    inputFields: (t) => ({
      messageId: t.id({
        required: true,
        description: 'The message to edit. It must be a TALK message of the viewer.',
        validate: idOf('message'),
      }),
      body: t.string({
        required: true,
        description: `The new text, 1 to ${limits.body} characters, at least one of them visible. Stored as written.`,
        validate: visibleText(limits.body),
      }),
    }),
  },
  {
    description: 'Replaces the text of a message. FORBIDDEN for anyone but its sender; CONFLICT if the message is deleted.',
    resolve: async (_mutation, { input }, context) => ({
      message: await editMessage(context.chat, await requireChanger(context), input.messageId, input.body),
    }),
  },
  {
    description: 'Payload of editMessage.',
    outputFields: (t) => ({ message: t.expose('message', { type: Message, description: 'The message with its new text.' }) }),
  },
);

builder.relayMutationField(
  'deleteMessage',
  {
    description: 'Input of deleteMessage.',
    inputFields: (t) => ({ messageId: t.id({ required: true, description: 'The message to delete.', validate: idOf('message') }) }),
  },
  {
    description: 'Replaces a message by a tombstone. FORBIDDEN for anyone but its sender and the owner of the room.',
    resolve: async (_mutation, { input }, context) => ({
      message: await deleteMessage(context.chat, await requireChanger(context), input.messageId),
    }),
  },
  {
    description: 'Payload of deleteMessage.',
    outputFields: (t) => ({ message: t.expose('message', { type: Message, description: 'The tombstone.' }) }),
  },
);
