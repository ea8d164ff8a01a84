// What was said, and who came and went, numbered by room. Written with the entry of the log that says so.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { notFound } from '../errors.ts';
import { decodeCursor, encodeCursor, expiredCursor, type Position } from './cursor.ts';
import { newId } from './id.ts';
import { type Page, type PageArgs, toPage, toWindow } from './page.ts';
import { floorOf, headOf, type LockedRoom } from './room-log.ts';
import { type Db, type MessageRow, now, type RoomRow } from './tables.ts';

/** Writes that someone came or went, and the MessageAdded entry of it. */
export async function addNotice(room: LockedRoom, kind: 'ENTER' | 'LEAVE', senderId: string): Promise<void> {
  const [position] = room.nextPositions(1) as [Position];
  const number = room.row.lastNumber + 1;
  const message = { id: newId('message'), roomId: room.row.id, ...position, changedSeq: position.seq, number, kind, senderId };
  await room.trx
    .insertInto('messages')
    .values({ ...message, createdAt: now })
    .execute();
  await room.appendAll([{ ...position, type: 'MessageAdded', messageId: message.id }], { lastNumber: number });
}

/** Whether a statement failed because a clientMessageId is taken. */
export const isKeyTaken = (error: unknown) =>
  error instanceof Error && 'constraint' in error && error.constraint === 'messages_by_client_message_id';

/** Changes a message and writes the entry that says so. */
export async function changeMessage(
  room: LockedRoom,
  messageId: string,
  type: 'MessageEdited' | 'MessageDeleted',
  changes: Partial<Pick<MessageRow, 'body' | 'deletionReason'>>,
): Promise<MessageRow> {
  const [position] = room.nextPositions(1) as [Position];
  const row = await room.trx
    .updateTable('messages')
    .set({ ...changes, changedSeq: position.seq, [type === 'MessageEdited' ? 'editedAt' : 'deletedAt']: now })
    .where('id', '=', messageId)
    .returningAll()
    .executeTakeFirstOrThrow();
  await room.appendAll([{ ...position, type, messageId }]);
  return row;
}

export const hashOf = (body: string) => createHash('sha256').update(body).digest('hex');

/** The messages, those behind their room's floor included: an entry that is still kept may name them. */
export async function findMessages(db: Db, ids: readonly string[]): Promise<MessageRow[]> {
  return db.selectFrom('messages').selectAll().where('id', 'in', ids).execute();
}

/** For each room its newest TALK message that is not deleted, where it has one. */
export async function findLastMessages(db: Db, roomIds: readonly string[]): Promise<MessageRow[]> {
  return db
    .selectFrom('rooms')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('messages')
          .selectAll('messages')
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
    .selectAll('message')
    .execute();
}

export interface MessagePage extends Page<MessageRow> {
  /** The room's head, from the same snapshot as the rows. */
  readonly sync: Position;
}

/** A page of a room's messages, in room order. Throws CURSOR_EXPIRED where a cursor's position is not kept. */
export async function listMessages(db: Db, roomId: string, args: PageArgs): Promise<MessagePage> {
  const window = toWindow(args, args.after == null ? 'end' : 'start');
  const after = args.after == null ? undefined : decodeCursor(roomId, args.after);
  const before = args.before == null ? undefined : decodeCursor(roomId, args.before);
  const messageBeyond = (comparison: '<=' | '>=', position: Position | undefined) =>
    position === undefined
      ? sql<boolean>`false`
      : sql<boolean>`exists (select 1 from messages where room_id = rooms.id and seq > rooms.floor_seq and seq ${sql.raw(comparison)} ${position.seq})`;
  const tagAt = (position: Position | undefined) =>
    sql<number | null>`(select tag from room_log where room_id = rooms.id and seq = ${position?.seq ?? null})`;

  // One statement is one snapshot: the rows, the head, and whether the cursors still hold, are of the same moment.
  const rows = await db
    .selectFrom('rooms')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('messages')
          .selectAll('messages')
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
    .selectAll('message')
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
  if (!first) throw notFound('There is no such room.', 'roomId');
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
