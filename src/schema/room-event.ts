// The events of a room: one object type for each entry type of its log.

import { unavailable } from '../errors.ts';
import type { Delivery } from '../feed/delivery.ts';
import { encodeCursor, expiredCursor } from '../storage/cursor.ts';
import type { EntryType } from '../storage/entry-types.ts';
import { findMembershipsOf } from '../storage/members.ts';
import { hasRightEnded, type LogEntry } from '../storage/room-log.ts';
import type { MessageRow } from '../storage/tables.ts';
import { builder } from './builder.ts';
import { type Context, requireViewer } from './context.ts';
import { readsOf } from './loaders.ts';
import { MessageEdge, toEdge } from './message.ts';
import { findRoom, Membership, Message, Room, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

export type MessageEvent = Extract<LogEntry, { messageId: string }>;
type MemberEvent = Extract<LogEntry, { userId: string }>;

export const RoomEvent = builder.interfaceRef<Delivery>('RoomEvent').implement({
  description:
    'An entry of the room’s log, in the order in which it happened. Objects are as they are when the event is delivered, so what may be gone by then is nullable, and the ids stay. room is null once the viewer may not see it any more.',
  resolveType: (event) => event.type,
  fields: (t) => ({
    cursor: t.string({
      description: 'Position after this event. Opaque. Pass it as after to resume with the next event.',
      resolve: (event) => encodeCursor(event.roomId, event),
    }),
    roomId: t.exposeID('roomId', { description: 'The room of the event.' }),
    room: t.field({
      type: Room,
      nullable: true,
      description: 'The room, as it is now. Null once the viewer may not see it any more.',
      extensions: dependsOnViewer,
      resolve: (event, _args, context) => findRoom(context, event.roomId),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened, by the clock of the database.' }),
  }),
});

const messageEvent = (name: MessageEvent['type'], description: string, ofMessage: string) =>
  builder.objectType(builder.objectRef<MessageEvent>(name), {
    description,
    interfaces: [RoomEvent],
    fields: (t) => ({ message: t.field({ type: Message, description: ofMessage, resolve: messageOf }) }),
  });

const plainEvent = (name: Delivery['type'], description: string) =>
  builder.objectType(builder.objectRef<Delivery>(name), { description, interfaces: [RoomEvent] });

/** Every entry type has an object type of the same name. A missing one fails to compile. */
({
  MessageAdded: builder.objectType(builder.objectRef<MessageEvent>('MessageAdded'), {
    description: 'A message was sent, or someone joined or left.',
    interfaces: [RoomEvent],
    fields: (t) => ({
      message: t.field({
        type: Message,
        description:
          'The message, as it is now. If it was deleted since, the message is a tombstone: id, number, cursor, times and deletionReason.',
        resolve: messageOf,
      }),
      edge: t.field({
        type: MessageEdge,
        description: 'The message and its position in the room, for caches that append edges.',
        resolve: async (event, args, context) => toEdge(await messageOf(event, args, context)),
      }),
    }),
  }),
  MessageEdited: messageEvent('MessageEdited', 'The body of a message was changed.', 'The message, as it is now.'),
  MessageDeleted: messageEvent('MessageDeleted', 'A message was deleted.', 'Its tombstone.'),
  MemberJoined: builder.objectType(builder.objectRef<MemberEvent>('MemberJoined'), {
    description: 'Someone joined or was added. Their ENTER message follows.',
    interfaces: [RoomEvent],
    fields: (t) => ({
      userId: t.exposeID('userId', { description: 'The user who joined.' }),
      user: t.field({ type: User, nullable: true, description: 'The user who joined. Null once the account was erased.', resolve: userOf }),
      membership: t.field({
        type: Membership,
        nullable: true,
        description: 'Their membership. Null when they have left since.',
        extensions: dependsOnViewer,
        resolve: async ({ roomId, userId }, _args, context) => {
          const [membership] = await findMembershipsOf(readsOf(context), requireViewer(context), userId, [roomId]);
          return membership ?? null;
        },
      }),
    }),
  }),
  MemberLeft: builder.objectType(builder.objectRef<MemberEvent>('MemberLeft'), {
    description: 'Someone left or was removed. If it is the viewer and the room is not OPEN, the stream completes after this event.',
    interfaces: [RoomEvent],
    fields: (t) => ({
      userId: t.exposeID('userId', { description: 'The user who left.' }),
      user: t.field({ type: User, nullable: true, description: 'The user who left. Null once the account was erased.', resolve: userOf }),
    }),
  }),
  HistoryTrimmed: builder.objectType(builder.objectRef<Extract<LogEntry, { throughNumber: number }>>('HistoryTrimmed'), {
    description: 'Retention removed the room’s oldest messages. A client drops every message up to this number.',
    interfaces: [RoomEvent],
    fields: (t) => ({
      throughNumber: t.exposeInt('throughNumber', { description: 'The number of the newest message that was removed.' }),
    }),
  }),
  RoomUpdated: plainEvent('RoomUpdated', 'The name or description of the room was changed.'),
  RoomDeleted: plainEvent(
    'RoomDeleted',
    'The last event of a room. Its streams complete after it, and the room is NOT_FOUND from then on, for those who resume too.',
  ),
}) satisfies Record<EntryType, unknown>;

plainEvent(
  'CaughtUp',
  'Once per subscription to roomEvents: everything that was missed has been delivered, and what follows is live. Not an entry of the log; its cursor is the head. Sent at once when nothing was missed or after was not given.',
);

/**
 * The message of an event, as it is now. A viewer who has lost the right to the room does not see what was changed after
 * the entry that ended the right. If no entry between the event and the change may have ended a right, the right was not lost.
 */
export async function messageOf(event: MessageEvent, _args: object, context: Context): Promise<MessageRow> {
  const [message] = await context.storage.rows.messages([event.messageId]);
  // Retention removed the message while the entry was in memory, or the bus carried a forged entry.
  if (message?.roomId !== event.roomId) throw expiredCursor();
  if (message.changedSeq < event.seq)
    throw unavailable('The database answered with an older state of the message than that of the event: retry.');
  if (message.changedSeq === event.seq) return message;
  if (!(await hasRightEnded(readsOf(context), event, message.changedSeq))) return message;
  if ((await roomOf(context, event.roomId)).visible) return message;
  return { ...message, body: null, editedAt: null, deletedAt: null, deletionReason: null };
}

function userOf({ userId }: MemberEvent): string {
  return userId;
}
