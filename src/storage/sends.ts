// Sends as the database takes them: however many, into however many rooms, as one statement.

import { sql } from 'kysely';
import { newTag } from './cursor.ts';
import { newId } from './id.ts';
import { hashOf } from './messages.ts';
import type { LogEntry } from './room-log.ts';
import { type Db, type MessageRow, now, type RoomRow } from './tables.ts';

export interface Send {
  readonly roomId: string;
  readonly senderId: string;
  readonly body: string;
  /** Idempotency key, unique per sender. */
  readonly clientMessageId?: string | null | undefined;
}

/** What a send's room was to its sender. */
export interface Standing {
  /** Undefined where there is no such room. */
  readonly room: Pick<RoomRow, 'kind' | 'deletedAt'> | undefined;
  readonly isMember: boolean;
}

/** What has come of a send. */
export type SendResult =
  | { readonly outcome: 'written'; readonly message: MessageRow; readonly entry: LogEntry }
  /** Its key was sent before, in whatever room. */
  | { readonly outcome: 'known'; readonly message: MessageRow }
  /** The sender is no member of the room. */
  | ({ readonly outcome: 'refused' } & Standing)
  /** Somebody else holds the room, or has just let it go: nothing was done. */
  | { readonly outcome: 'held' };

/** The message that was written or known, if any, and what was looked at beside. */
type Row = (MessageRow | { readonly id: null }) & {
  readonly ready: boolean;
  /** Of a message that was written: the tag of the entry in front of its own. */
  readonly previousTag: number | null;
  readonly roomKind: RoomRow['kind'] | null;
  readonly roomDeletedAt: Date | null;
  readonly isMember: boolean;
};

/**
 * Writes what is new of `sends`, their MessageAdded entries, and the heads of their rooms; seq and number are given in this
 * order. Of a key that comes twice here, all but the first are `held`. Fails with nothing written where a key is being
 * written elsewhere: `isKeyTaken` tells.
 *
 * - Rooms are locked in ascending order, and none is waited for. What is looked at beside is as it was when the statement
 *   began: a room is written to only where its head is still the one of that moment, so nobody who has just been removed
 *   is taken for a member.
 * - Keys are written in one order on every node. Two that write the same ones would otherwise wait for each other.
 * - Rows are looked up with `limit 1`: the plan of a prepared statement may be older than the table's size, and never
 *   comes to read all of it.
 */
export async function writeSends(db: Db, sends: readonly Send[]): Promise<SendResult[]> {
  const column = <Value>(read: (send: Send) => Value) => sends.map((send) => read(send));
  const { rows } = await sql<Row>`/* prepared: sends */
    with send as materialized (
      select sent.*, room.*,
        coalesce((select true from memberships where user_id = sent.sender_id and room_id = sent.room_id), false) as is_member,
        (select id from messages where sender_id = sent.sender_id and client_message_id = sent.client_message_id) as known_id
      from unnest(
        ${column(({ roomId }) => roomId)}::text[],
        ${column(({ senderId }) => senderId)}::text[],
        ${column(() => newId('message'))}::text[],
        ${column(newTag)}::int[],
        ${column(({ body }) => body)}::text[],
        ${column(({ clientMessageId }) => clientMessageId ?? null)}::text[],
        ${column(({ body, clientMessageId }) => (clientMessageId == null ? null : hashOf(body)))}::text[]
      ) with ordinality as sent (room_id, sender_id, id, tag, body, client_message_id, sent_hash, place)
      left join lateral (
        select kind as room_kind, deleted_at as room_deleted_at, head_seq, head_tag from rooms where rooms.id = sent.room_id limit 1
      ) as room on true
    ), held as materialized (
      select id, head_seq, head_tag, last_number from rooms
      where id = any(${[...new Set(column(({ roomId }) => roomId))]}::text[])
      order by id for update skip locked
    ), fresh as materialized (
      select send.*, held.head_seq + row_number() over room as seq, held.last_number + row_number() over room as number,
        lag(send.tag, 1, held.head_tag) over room as previous_tag
      from send
      join held on held.id = send.room_id and held.head_seq = send.head_seq and held.head_tag = send.head_tag
      where is_member and room_deleted_at is null and known_id is null
        and not exists (select from send as earlier where earlier.sender_id = send.sender_id
          and earlier.client_message_id = send.client_message_id and earlier.place < send.place)
      window room as (partition by send.room_id order by send.place)
    ), written as (
      insert into messages (id, room_id, seq, tag, changed_seq, number, kind, sender_id, body, created_at, client_message_id, sent_hash)
      select id, room_id, seq, tag, seq, number, 'TALK', sender_id, body, ${now}, client_message_id, sent_hash
      from fresh order by client_message_id, sender_id
      returning *
    ), logged as (
      insert into room_log (room_id, seq, tag, type, at, message_id)
      select room_id, seq, tag, 'MessageAdded', ${now}, id from fresh order by room_id, seq
    ), moved as (
      update rooms set head_seq = last.seq, head_tag = last.tag, last_number = last.number, last_active_at = ${now},
        oldest_at = coalesce(rooms.oldest_at, ${now})
      from (select distinct on (room_id) room_id, seq, tag, number from fresh order by room_id, seq desc) as last
      where rooms.id = last.room_id
    )
    select message.*, fresh.previous_tag, send.room_kind, send.room_deleted_at, send.is_member,
      exists (select from held where held.id = send.room_id and held.head_seq = send.head_seq and held.head_tag = send.head_tag) as ready
    from send
    left join fresh on fresh.place = send.place
    left join (
      select * from written
      union all
      select known.* from (select distinct known_id from send where known_id is not null) as looked_for
        cross join lateral (select * from messages where id = known_id limit 1) as known
    ) as message on message.id = coalesce(fresh.id, send.known_id)
    order by send.place`.execute(db);
  return rows.map(toResult);
}

function toResult(row: Row): SendResult {
  if (row.id === null) {
    const { ready, roomKind, roomDeletedAt, isMember } = row;
    const room = roomKind === null ? undefined : { kind: roomKind, deletedAt: roomDeletedAt };
    // A member of a room that is there was passed over for another reason.
    if (room && (!ready || (isMember && room.deletedAt === null))) return { outcome: 'held' };
    return { outcome: 'refused', room, isMember };
  }
  const message = messageOf(row);
  if (row.previousTag === null) return { outcome: 'known', message };
  const { id: messageId, roomId, seq, tag, createdAt: at } = message;
  return { outcome: 'written', message, entry: { type: 'MessageAdded', messageId, roomId, seq, tag, previousTag: row.previousTag, at } };
}

/** The message without what was looked at beside it. Field by field, since a hot room has thousands a second of them. */
const messageOf = (row: MessageRow): MessageRow => ({
  id: row.id,
  roomId: row.roomId,
  seq: row.seq,
  tag: row.tag,
  changedSeq: row.changedSeq,
  number: row.number,
  kind: row.kind,
  senderId: row.senderId,
  body: row.body,
  createdAt: row.createdAt,
  editedAt: row.editedAt,
  deletedAt: row.deletedAt,
  deletionReason: row.deletionReason,
  clientMessageId: row.clientMessageId,
  sentHash: row.sentHash,
});
