// Group commit: one statement writes all waiting sends to all rooms.

import { sql } from 'kysely';
import { newTag } from './cursor.ts';
import { durableCommit } from './durability.ts';
import { newId } from './id.ts';
import { hashOf } from './messages.ts';
import { mayRead } from './rights.ts';
import type { LogEntry } from './room-log.ts';
import { statement } from './statement.ts';
import { type Db, type MessageRow, messageColumns, now, selection, type Trx, table } from './tables.ts';

export interface Send {
  readonly roomId: string;
  readonly senderId: string;
  readonly body: string;
  /** Idempotency key, unique per sender. */
  readonly clientMessageId?: string | null | undefined;
}

/** The result of a send. */
export type SendResult =
  | { readonly outcome: 'written'; readonly message: MessageRow; readonly entry: LogEntry; readonly readVersion: number }
  /** The sender used its key before, in this or another room. */
  | { readonly outcome: 'known'; readonly message: MessageRow }
  /** The sender is not a member of the room, or there is no such room. */
  | { readonly outcome: 'refused'; readonly mayRead: boolean }
  /** Another transaction holds the room or the row of the sender, or has just released it. Nothing was written. */
  | { readonly outcome: 'held' };

/** The message that was written or found, if there is one, and the state of the room. */
type Row = (MessageRow | { readonly id: null }) & {
  /** Whether this statement holds the room, and the room has not changed since the statement's snapshot. */
  readonly ready: boolean;
  /** For a written message: the tag of the entry before its entry. */
  readonly previousTag: number | null;
  /** Null if there is no such room. */
  readonly mayRead: boolean | null;
  /** `readVersion` of the sender's marker. Null if the sender is not a member. */
  readonly readVersion: number | null;
};

/**
 * Waits for the locks that `writeSends` skips, in the order in which the deletion of a user takes them: the senders, then the
 * room. `writeSends` then finds both unlocked in the same transaction.
 */
export async function lockForSends(trx: Trx, roomId: string, sends: readonly Send[]): Promise<void> {
  await sql`
    with sender as materialized (
      select id from ${table('users')} where id = any(${[...new Set(sends.map(({ senderId }) => senderId))]}::text[]) order by id for key share
    )
    select from ${table('rooms')} where id = ${roomId} and (select count(*) from sender) >= 0 for update`.execute(trx);
}

const columns = (alias: string) => selection(alias, messageColumns);

/**
 * Writes the new messages of `sends`, their MessageAdded entries, and the heads of their rooms. Assigns seq and number in
 * the order of `sends`. If a key occurs twice in `sends`, all but the first are `held`. Fails with nothing written if
 * another transaction writes one of the keys at the same time (`isKeyTaken`).
 *
 * - Sets the durability of its own transaction: `send` reads from `durable`, so that it is evaluated if there is a send.
 * - Locks rooms in ascending order, and skips those that are locked. Rights are those of the statement's snapshot, so a
 *   room is written only if its head is still that of the snapshot: a member who was just removed cannot send.
 * - Skips senders whose row is locked, for a deletion. The foreign key would wait for the lock while this statement holds the
 *   rooms, and the deletion waits for the rooms of the user: a deadlock. A sender without a row is left to the foreign key.
 * - Writes keys in the same order on every node. Otherwise two nodes that write the same keys could deadlock.
 * - Looks rows up with `limit 1`: the plan of a prepared statement may date from when the table was small, and would
 *   otherwise scan the whole table.
 */
export async function writeSends(db: Db, sends: readonly Send[]): Promise<SendResult[]> {
  const column = <Value>(read: (send: Send) => Value) => sends.map((send) => read(send));
  const roomIds = column(({ roomId }) => roomId);
  const senderIds = column(({ senderId }) => senderId);
  const rows = await writeColumns(
    db,
    roomIds,
    senderIds,
    column(() => newId('message')),
    column(newTag),
    column(({ body }) => body),
    column(({ clientMessageId }) => clientMessageId ?? null),
    column(({ body, clientMessageId }) => (clientMessageId == null ? null : hashOf(body))),
    [...new Set(roomIds)],
    [...new Set(senderIds)],
  );
  return rows.map(toResult);
}

/** The columns of the sends, each in the same order, and the distinct ids of their rooms and senders. */
type Columns = [
  roomIds: string[],
  senderIds: string[],
  ids: string[],
  tags: number[],
  bodies: string[],
  keys: (string | null)[],
  hashes: (string | null)[],
  rooms: string[],
  senders: string[],
];

const writeColumns = statement<Row, Columns>(
  (roomIds, senderIds, ids, tags, bodies, keys, hashes, rooms, senders) => sql`/* prepared: sends */
    with durable as materialized (
      select ${sql.raw(durableCommit)}
    ), send as materialized (
      select sent.*, room.*,
        (select read_version from ${table('memberships')} where user_id = sent.sender_id and room_id = sent.room_id) as read_version,
        (select id from ${table('messages')} where sender_id = sent.sender_id and client_message_id = sent.client_message_id) as known_id
      from durable cross join unnest(
        ${roomIds}::text[],
        ${senderIds}::text[],
        ${ids}::text[],
        ${tags}::int[],
        ${bodies}::text[],
        ${keys}::text[],
        ${hashes}::text[]
      ) with ordinality as sent (room_id, sender_id, id, tag, body, client_message_id, sent_hash, place)
      left join lateral (
        select ${mayRead(sql.ref('sent.sender_id'))} as may_read, head_seq, head_tag from ${table('rooms')} where rooms.id = sent.room_id limit 1
      ) as room on true
    ), held as materialized (
      select id, head_seq, head_tag, last_number, talk_count from ${table('rooms')}
      where id = any(${rooms}::text[])
      order by id for update skip locked
    ), sender as materialized (
      select id from ${table('users')} where id = any(${senders}::text[])
      order by id for key share skip locked
    ), fresh as materialized (
      select send.*, held.head_seq + row_number() over room as seq, held.last_number + row_number() over room as number,
        held.talk_count + row_number() over room as talk_count,
        lag(send.tag, 1, held.head_tag) over room as previous_tag
      from send
      join held on held.id = send.room_id and held.head_seq = send.head_seq and held.head_tag = send.head_tag
      where read_version is not null and may_read and known_id is null
        and (send.sender_id in (select id from sender) or (select id from ${table('users')} where id = send.sender_id limit 1) is null)
        and not exists (select from send as earlier where earlier.sender_id = send.sender_id
          and earlier.client_message_id = send.client_message_id and earlier.place < send.place)
      window room as (partition by send.room_id order by send.place)
    ), written as (
      insert into ${table('messages')} (id, room_id, seq, tag, changed_seq, number, kind, sender_id, body, created_at, client_message_id, sent_hash)
      select id, room_id, seq, tag, seq, number, 'TALK', sender_id, body, ${now}, client_message_id, sent_hash
      from fresh order by client_message_id, sender_id
      returning ${columns('messages')}
    ), logged as (
      insert into ${table('roomLog')} (room_id, seq, tag, type, at, message_id, talk_count)
      select room_id, seq, tag, 'MessageAdded', ${now}, id, talk_count from fresh order by room_id, seq
    ), last as materialized (
      select distinct on (room_id) room_id, seq, tag, number, talk_count from fresh order by room_id, seq desc
    ), moved as (
      update ${table('rooms')} set head_seq = last.seq, head_tag = last.tag, last_number = last.number, talk_count = last.talk_count,
        last_active_at = ${now}, oldest_at = coalesce(rooms.oldest_at, ${now}), changed_xid = pg_current_xact_id()
      from last where rooms.id = last.room_id
    ), noted as (
      insert into ${table('changes')} (room_id) select room_id from last
    )
    select ${columns('message')}, fresh.previous_tag, send.may_read, send.read_version,
      exists (select from held where held.id = send.room_id and held.head_seq = send.head_seq and held.head_tag = send.head_tag) as ready
    from send
    left join fresh on fresh.place = send.place
    left join (
      select ${columns('written')} from written
      union all
      select ${columns('known')} from (select distinct known_id from send where known_id is not null) as wanted
        cross join lateral (select ${columns('messages')} from ${table('messages')} where id = known_id limit 1) as known
    ) as message on message.id = coalesce(fresh.id, send.known_id)
    order by send.place`,
);

function toResult(row: Row): SendResult {
  if (row.id === null) {
    const { ready, mayRead, readVersion } = row;
    if (mayRead === null) return { outcome: 'refused', mayRead: false };
    // The member may send, but nothing was written: the key occurs twice, or the room or the sender is locked.
    if (!ready || (readVersion !== null && mayRead)) return { outcome: 'held' };
    return { outcome: 'refused', mayRead };
  }
  const message = messageOf(row);
  if (row.previousTag === null) return { outcome: 'known', message };
  const { id: messageId, roomId, seq, tag, createdAt: at } = message;
  const entry: LogEntry = { type: 'MessageAdded', messageId, roomId, seq, tag, previousTag: row.previousTag, at };
  return { outcome: 'written', message, entry, readVersion: row.readVersion as number };
}

/** The message without the other columns. Copied field by field because that is faster: a busy room has thousands a second. */
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
