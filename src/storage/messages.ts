// The messages of a room. Each is written and changed in the transaction that writes the entry about it.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { noSuchRoom } from '../errors.ts';
import { noteUnreadSender } from './changes.ts';
import { decodeCursor, encodeCursor, expiredCursor, type Position } from './cursor.ts';
import { DatabaseFailure } from './failure.ts';
import { newId } from './id.ts';
import type { LockedRoom } from './locked-room.ts';
import { type Page, type PageArgs, toPage, toWindow } from './page.ts';
import { isFound, type NoRow, primary } from './primary.ts';
import { mayRead } from './rights.ts';
import { floorOf, headOf } from './room-log.ts';
import { statement } from './statement.ts';
import { type Db, type MessageRow, messageColumns, now, qualified, type RoomRow, selection, table } from './tables.ts';

/** Writes an ENTER or LEAVE message and its MessageAdded entry. */
export async function addNotice(room: LockedRoom, kind: 'ENTER' | 'LEAVE', senderId: string): Promise<void> {
  const position = room.nextPosition();
  const number = room.row.lastNumber + 1;
  const message = { id: newId('message'), roomId: room.row.id, ...position, changedSeq: position.seq, number, kind, senderId };
  await room.trx
    .insertInto('messages')
    .values({ ...message, createdAt: now })
    .execute();
  await room.append({ type: 'MessageAdded', messageId: message.id }, { lastNumber: number }, position);
}

/** Whether a statement failed because a clientMessageId is taken. */
export const isKeyTaken = (error: unknown) => error instanceof DatabaseFailure && error.constraint === 'messages_by_client_message_id';

/** Changes a message and writes the entry about it. */
export async function changeMessage(
  room: LockedRoom,
  messageId: string,
  type: 'MessageEdited' | 'MessageDeleted',
  changes: Partial<Pick<MessageRow, 'body' | 'deletionReason'>>,
): Promise<MessageRow> {
  const position = room.nextPosition();
  const row = await room.trx
    .updateTable('messages')
    .set({ ...changes, changedSeq: position.seq, [type === 'MessageEdited' ? 'editedAt' : 'deletedAt']: now })
    .where('id', '=', messageId)
    .returning(messageColumns)
    .executeTakeFirstOrThrow();
  const isDeletion = type === 'MessageDeleted' && row.kind === 'TALK';
  await room.append(
    { type, messageId },
    isDeletion ? { lastDeletedNumber: Math.max(room.row.lastDeletedNumber, row.number) } : {},
    position,
  );
  if (isDeletion) await noteUnreadSender(room.trx, row);
  return row;
}

export const hashOf = (body: string) => createHash('sha256').update(body).digest('hex');

const messagesById = statement<MessageRow | NoRow, [ids: readonly string[]]>(
  (ids) =>
    sql`select ${selection('messages', messageColumns)} from ${primary} left join ${table('messages')} on id = any(${ids}::text[]) where is_primary = 1`,
);

/**
 * The messages with these ids, including tombstones at or before the floor, which a kept entry may name. Does not check
 * rights: for callers that have done so, such as a feed that delivers an entry, or a change that holds the room's lock.
 */
export async function findMessages(db: Db, ids: readonly string[]): Promise<MessageRow[]> {
  return (await messagesById(db, ids)).filter(isFound);
}

/** The messages with these ids that the viewer may read and that retention has not removed. */
export async function findReadableMessages(db: Db, viewerId: string, ids: readonly string[]): Promise<MessageRow[]> {
  return db
    .selectFrom('messages')
    .innerJoin('rooms', 'rooms.id', 'messages.roomId')
    .select(qualified('messages', messageColumns))
    .where('messages.id', 'in', ids)
    .whereRef('messages.seq', '>', 'rooms.floorSeq')
    .where(mayRead(viewerId))
    .execute();
}

/** For each room that the viewer may read: its newest TALK message that is not deleted, if there is one. */
export async function findLastMessages(db: Db, viewerId: string, roomIds: readonly string[]): Promise<MessageRow[]> {
  return lastMessages(db, roomIds).where(mayRead(viewerId)).execute();
}

/** The same for all members of the rooms. The caller shows the messages only to members. */
export async function findLastMessagesForMembers(db: Db, roomIds: readonly string[]): Promise<MessageRow[]> {
  return lastMessages(db, roomIds).where('rooms.deletedAt', 'is', null).execute();
}

const lastMessages = (db: Db, roomIds: readonly string[]) =>
  db
    .selectFrom('rooms')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('messages')
          .select(qualified('messages', messageColumns))
          .whereRef('messages.roomId', '=', 'rooms.id')
          .whereRef('messages.seq', '>', 'rooms.floorSeq')
          .where('messages.kind', '=', 'TALK')
          .where('messages.deletedAt', 'is', null)
          .orderBy('messages.seq', 'desc')
          .limit(1)
          .as('message'),
      (join) => join.onTrue(),
    )
    .where('rooms.id', 'in', roomIds)
    .select(qualified('message', messageColumns));

export interface MessagePage extends Page<MessageRow> {
  /** The room's head, from the same snapshot as the rows. */
  readonly sync: Position;
}

/**
 * A page of a room's messages, in room order. Throws NOT_FOUND if the viewer may not read the room, and CURSOR_EXPIRED if
 * the position of a cursor is no longer kept.
 */
export async function listMessages(db: Db, viewerId: string, roomId: string, args: PageArgs): Promise<MessagePage> {
  const window = toWindow(args, args.after == null ? 'end' : 'start');
  const after = args.after == null ? undefined : decodeCursor(roomId, args.after);
  const before = args.before == null ? undefined : decodeCursor(roomId, args.before);
  const messageBeyond = (comparison: '<=' | '>=', position: Position | undefined) =>
    position === undefined
      ? sql<boolean>`false`
      : sql<boolean>`exists (select 1 from ${table('messages')} where room_id = rooms.id and seq > rooms.floor_seq and seq ${sql.raw(comparison)} ${position.seq})`;
  const tagAt = (position: Position | undefined) =>
    sql<number | null>`(select tag from ${table('roomLog')} where room_id = rooms.id and seq = ${position?.seq ?? null})`;

  // One statement is one snapshot: the right, the rows, the head and the check of the cursors are consistent.
  const rows = await db
    .selectFrom('rooms')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('messages')
          .select(qualified('messages', messageColumns))
          .whereRef('messages.roomId', '=', 'rooms.id')
          .whereRef('messages.seq', '>', 'rooms.floorSeq')
          .$if(after !== undefined, (qb) => qb.where('messages.seq', '>', (after as Position).seq))
          .$if(before !== undefined, (qb) => qb.where('messages.seq', '<', (before as Position).seq))
          .orderBy('messages.seq', window.fromEnd ? 'desc' : 'asc')
          .limit(window.limit + 1)
          .as('message'),
      (join) => join.onTrue(),
    )
    .where('rooms.id', '=', roomId)
    .where(mayRead(viewerId))
    .select(qualified('message', messageColumns))
    .select(['rooms.headSeq', 'rooms.headTag', 'rooms.floorSeq', 'rooms.floorTag'])
    .select([
      messageBeyond('<=', after).as('anyBefore'),
      messageBeyond('>=', before).as('anyAfter'),
      tagAt(after).as('afterTag'),
      tagAt(before).as('beforeTag'),
    ])
    .orderBy('message.seq', window.fromEnd ? 'desc' : 'asc')
    .execute();
  const first = rows[0];
  if (!first) throw noSuchRoom();
  requireKept(first, after, first.afterTag);
  requireKept(first, before, first.beforeTag);
  const messages = rows.filter((row) => row.id !== null) as unknown as MessageRow[];
  return { ...toPage(messages, window, { before: first.anyBefore, after: first.anyAfter }), sync: headOf(first) };
}

function requireKept(room: Pick<RoomRow, 'floorSeq' | 'floorTag'>, position: Position | undefined, tagThere: number | null): void {
  if (position === undefined) return;
  const floor = floorOf(room);
  if (position.tag !== (position.seq === floor.seq ? floor.tag : tagThere)) throw expiredCursor();
}

export const messageCursor = (row: Pick<MessageRow, 'roomId' | 'seq' | 'tag'>) => encodeCursor(row.roomId, row);
