// What is watched: the events of a room, one type for each type of entry in its log, and the two streams of them.

import type { Delivery, Watch } from '../feed/delivery.ts';
import { openFeed } from '../feed/open-feed.ts';
import { encodeCursor, expiredCursor } from '../storage/cursor.ts';
import { findMember } from '../storage/members.ts';
import { hasAnyoneLeft, type LogEntry } from '../storage/room-log.ts';
import type { MessageRow } from '../storage/tables.ts';
import { builder } from './builder.ts';
import { type Context, requireViewer } from './context.ts';
import { idOf } from './input.ts';
import { findRoom, Membership, Message, Room, roomOf, User } from './node.ts';
import { dependsOnViewer } from './sharing.ts';

type MessageEvent = Extract<LogEntry, { messageId: string }>;
type MemberEvent = Extract<LogEntry, { userId: string }>;

const RoomEvent = builder.interfaceRef<Delivery>('RoomEvent').implement({
  description:
    'An entry of the room’s log, in the order in which it happened. Objects are as they are when the event is handed over, so what may be gone by then is nullable, and the ids stay. room is null once the viewer may not see it any more.',
  resolveType: (event) => event.type,
  fields: (t) => ({
    cursor: t.string({
      description: 'Position behind this event. Serves as after: whoever resumes with it is handed what came next.',
      resolve: (event) => encodeCursor(event.roomId, event),
    }),
    roomId: t.exposeID('roomId', { description: 'The room that it happened in.' }),
    room: t.field({
      type: Room,
      nullable: true,
      description: 'The room, as it is now. Null once the viewer may not see it any more.',
      extensions: dependsOnViewer,
      resolve: (event, _args, context) => findRoom(context, event.roomId),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
  }),
});

const messageEvent = <Type extends MessageEvent['type']>(name: Type, description: string, ofMessage: string) =>
  builder.objectType(builder.objectRef<MessageEvent>(name), {
    description,
    interfaces: [RoomEvent],
    fields: (t) => ({ message: t.field({ type: Message, description: ofMessage, resolve: messageOf }) }),
  });

messageEvent(
  'MessageAdded',
  'A message was sent, or someone came or went.',
  'The message, as it is now. One that is gone since is handed over as its tombstone: id, number, cursor, times and deletionReason.',
);
messageEvent('MessageEdited', 'A message reads differently now.', 'The message, as it is now.');
messageEvent('MessageDeleted', 'A message was deleted.', 'Its tombstone.');

builder.objectType(builder.objectRef<MemberEvent>('MemberJoined'), {
  description: 'Someone joined, or was brought in. Their ENTER message follows.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    userId: t.exposeID('userId', { description: 'Who joined.' }),
    user: t.field({ type: User, nullable: true, description: 'Who joined. Null once the account was erased.', resolve: userOf }),
    membership: t.field({
      type: Membership,
      nullable: true,
      description: 'Their place in the room. Null when they have left since.',
      extensions: dependsOnViewer,
      resolve: async ({ roomId, userId }, _args, context) =>
        (await findRoom(context, roomId)) && findMember(context.storage.db, roomId, userId),
    }),
  }),
});

builder.objectType(builder.objectRef<MemberEvent>('MemberLeft'), {
  description: 'Left or was removed. Where the viewer is the one and the room is not OPEN, the stream completes after it.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    userId: t.exposeID('userId', { description: 'Who left.' }),
    user: t.field({ type: User, nullable: true, description: 'Who left. Null once the account was erased.', resolve: userOf }),
  }),
});

builder.objectType(builder.objectRef<Extract<LogEntry, { throughNumber: number }>>('HistoryTrimmed'), {
  description: 'Retention removed the room’s oldest messages. A client drops every message up to this number.',
  interfaces: [RoomEvent],
  fields: (t) => ({ throughNumber: t.exposeInt('throughNumber', { description: 'The number of the newest message that was removed.' }) }),
});

builder.objectType(builder.objectRef<Delivery>('RoomUpdated'), {
  description: 'The room was renamed, or described anew.',
  interfaces: [RoomEvent],
});

builder.objectType(builder.objectRef<Delivery>('RoomDeleted'), {
  description: 'The last event of a room. Its streams complete after it, and the room is NOT_FOUND from then on, for those who resume too.',
  interfaces: [RoomEvent],
});

builder.objectType(builder.objectRef<Delivery>('CaughtUp'), {
  description:
    'Once per subscription to roomEvents: all that was missed has been handed over, live from here. Not an entry of the log; its cursor is the head. Sent at once when nothing was missed or after was not given.',
  interfaces: [RoomEvent],
});

builder.subscriptionFields((t) => {
  const args = {
    roomId: t.arg.id({
      required: true,
      description: 'The room to watch. NOT_FOUND where the viewer may not see it.',
      validate: idOf('room'),
    }),
    after: t.arg.string({
      description:
        'Cursor behind which to begin: what was missed first, then live. CURSOR_INVALID where it is not of this room, CURSOR_EXPIRED where it is not kept.',
    }),
  };
  const watch = (wants: Watch['wants']) => (_root: unknown, input: { roomId: string; after?: string | null }, context: Context) =>
    // To a client an error would be the end of a stream that can be continued: it waits for the database instead.
    context.liveRooms.retry(
      () =>
        openFeed(context.liveRooms, {
          roomId: input.roomId,
          viewerId: requireViewer(context),
          after: context.lastEventId ?? input.after ?? undefined,
          wants,
        }),
      context.wanted,
    );
  return {
    messageAdded: t.field({
      type: Message,
      description: 'The messages of one room, in order. With after: first what was missed, then live, with no seam. Without: live only.',
      args,
      subscribe: watch((type) => type === 'MessageAdded') as never,
      resolve: (event, _args, context) => messageOf(event as unknown as MessageEvent, _args, context),
    }),
    roomEvents: t.field({
      type: RoomEvent,
      description: 'Everything that changes a room, in one order: the stream to keep a chat view true with.',
      args,
      subscribe: watch(() => true) as never,
      resolve: (event) => event as unknown as Delivery,
    }),
  };
});

/**
 * The message of an event. To someone who has lost the right to the room, what was changed after the event is not shown:
 * the change comes behind the entry that took the right. Where nobody has left in between, nobody has lost it.
 */
async function messageOf(event: MessageEvent, _args: object, context: Context): Promise<MessageRow> {
  const message = await Message.getDataloader(context).load(event.messageId);
  // Retention has removed it while the entry was still in memory, or the entry was made up.
  if (message?.roomId !== event.roomId) throw expiredCursor();
  if (message.changedSeq <= event.seq) return message;
  if (!(await hasAnyoneLeft(context.storage.db, event, message.changedSeq))) return message;
  if ((await roomOf(context, event.roomId)).visible) return message;
  return { ...message, body: null, editedAt: null, deletedAt: null, deletionReason: null };
}

function userOf({ userId }: MemberEvent): string {
  return userId;
}
