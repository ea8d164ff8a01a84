// Messages, and how to send, edit and delete them.

import { deleteMessage, editMessage, sendMessage } from '../chat/messages.ts';
import { messageCursor } from '../storage/messages.ts';
import { builder } from './builder.ts';
import { requireViewer } from './context.ts';
import { idOf, limits, line } from './input.ts';
import { Message, Room, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

const MessageKind = builder.enumType('MessageKind', {
  description: 'What a message is.',
  values: {
    TALK: { description: 'Someone said something.' },
    ENTER: { description: 'Someone joined; the client words it. Written once per joining.' },
    LEAVE: { description: 'Someone left; the client words it.' },
  } as const,
});

const DeletionReason = builder.enumType('DeletionReason', {
  description: 'By whose hand a message was deleted.',
  values: {
    BY_SENDER: { description: 'Who sent it deleted it.' },
    BY_OWNER: { description: 'The owner of the room deleted it.' },
  } as const,
});

Message.implement({
  description: 'What was said in a room, or that someone came or went.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room it was sent to.',
      extensions: dependsOnViewer,
      resolve: ({ roomId }, _args, context) => roomOf(context, roomId),
    }),
    kind: t.expose('kind', { type: MessageKind, description: 'What it is.' }),
    number: t.exposeInt('number', {
      description:
        'Given in the order of the room: 1, 2, 3 … without a hole, never used again. A viewer may be shown fewer (retention, later features); that nothing was missed is what the stream’s cursor says, not this.',
    }),
    cursor: t.string({
      description: 'Position in the room. Opaque. Serves as after in messageAdded, roomEvents and Room.messages alike.',
      resolve: messageCursor,
    }),
    sender: t.field({
      type: User,
      nullable: true,
      description: 'Who sent it. Null once the account was erased.',
      resolve: ({ senderId }) => senderId,
    }),
    body: t.exposeString('body', {
      nullable: true,
      description: 'What was said. Null for ENTER and LEAVE, and once deleted (ask deletedAt).',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was sent, by the clock of the server.' }),
    editedAt: t.expose('editedAt', { type: 'DateTime', nullable: true, description: 'When it was last edited. Null if never.' }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted: this is its tombstone. Null if it was not.',
    }),
    deletionReason: t.expose('deletionReason', {
      type: DeletionReason,
      nullable: true,
      description: 'By whose hand it was deleted. Null if it was not, or retention did it.',
    }),
    clientMessageId: t.exposeID('clientMessageId', {
      nullable: true,
      description:
        'Seen by everyone in the room. The key that the sender gave with sendMessage, so that the sender’s client knows its own message again.',
    }),
  }),
});

export const MessageConnection = builder.connectionObject(
  {
    type: Message,
    name: 'MessageConnection',
    description: 'A page of the messages of a room, in room order.',
    fields: (t) => ({
      syncCursor: t.string({
        description:
          'The newest position of the room when this page was read, from the same snapshot. Take it once, from the page that opens the view, and subscribe with it: nothing falls between page and stream. A cache that merges pages shows that of the page read last, which is ahead of the stream; do not take it from there.',
        resolve: (page) => (page as unknown as { syncCursor: string }).syncCursor,
      }),
    }),
  },
  { name: 'MessageEdge', description: 'A message and its position.' },
);

builder.relayMutationField(
  'sendMessage',
  {
    description: 'What to send, and where to.',
    inputFields: (t) => ({
      roomId: t.id({ required: true, description: 'The room. The viewer must be a member of it.', validate: idOf('room') }),
      body: t.string({
        required: true,
        description: `What to say, 1 to ${limits.body} characters, not all blank.`,
        validate: line(limits.body),
      }),
      clientMessageId: t.id({
        description: `Idempotency key, unique per sender and kept as long as the message is: a retry answers with the first message, whichever node it reaches and however late. The same key with another room or body is CONFLICT. Use a UUID. At most ${limits.clientMessageId} characters.`,
        validate: line(limits.clientMessageId),
      }),
    }),
  },
  {
    description:
      'Sends a message. Once it answers, the message is kept and reaches everyone who watches the room. FORBIDDEN where the viewer has yet to join; after UNAVAILABLE, try again with the same clientMessageId.',
    resolve: (_mutation, { input }, context) => sendMessage(context.chat, requireViewer(context), input),
  },
  {
    description: 'What sendMessage answers.',
    outputFields: (t) => ({
      message: t.expose('message', { type: Message, description: 'The message, as it is kept.' }),
      deduplicated: t.exposeBoolean('deduplicated', {
        description: 'True when clientMessageId matched an earlier send and nothing new was written.',
      }),
    }),
  },
);

builder.relayMutationField(
  'editMessage',
  {
    description: 'Which message to edit, and how it reads from now on.',
    inputFields: (t) => ({
      messageId: t.id({ required: true, description: 'The message, a TALK message of the viewer.', validate: idOf('message') }),
      body: t.string({
        required: true,
        description: `What it is to say, 1 to ${limits.body} characters, not all blank.`,
        validate: line(limits.body),
      }),
    }),
  },
  {
    description: 'Changes what a message says. FORBIDDEN for others than its sender, CONFLICT once it is deleted.',
    resolve: async (_mutation, { input }, context) => ({
      message: await editMessage(context.chat, requireViewer(context), input.messageId, input.body),
    }),
  },
  {
    description: 'What editMessage answers.',
    outputFields: (t) => ({ message: t.expose('message', { type: Message, description: 'The message, as it reads now.' }) }),
  },
);

builder.relayMutationField(
  'deleteMessage',
  {
    description: 'Which message to delete.',
    inputFields: (t) => ({ messageId: t.id({ required: true, description: 'The message.', validate: idOf('message') }) }),
  },
  {
    description: 'Leaves a tombstone in place of a message. FORBIDDEN for others than its sender and the owner of the room.',
    resolve: async (_mutation, { input }, context) => ({
      message: await deleteMessage(context.chat, requireViewer(context), input.messageId),
    }),
  },
  {
    description: 'What deleteMessage answers.',
    outputFields: (t) => ({ message: t.expose('message', { type: Message, description: 'The tombstone.' }) }),
  },
);
