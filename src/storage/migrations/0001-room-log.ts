// The initial tables: users, rooms, memberships, messages, and the log.
// Messages and log entries have no foreign key to their room, because the room's row is locked whenever they are written.

import { type Kysely, sql } from 'kysely';

// biome-ignore lint/suspicious/noExplicitAny: a migration depends on the tables of its time, not on the current types.
export async function up(db: Kysely<any>): Promise<void> {
  const now = sql`clock_timestamp()`;
  await db.schema
    .createTable('users')
    .addColumn('id', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('subject', 'text', (c) => c.unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('name_folded', sql`text collate "C"`, (c) => c.notNull())
    .addColumn('avatar_url', 'text')
    .addColumn('created_at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .execute();

  await db.schema
    .createTable('rooms')
    .addColumn('id', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('name_folded', sql`text collate "C"`, (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('subject', 'text')
    .addColumn('direct_key', 'text')
    .addColumn('created_by', sql`text collate "C"`, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('created_at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .addColumn('last_active_at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .addColumn('deleted_at', 'timestamptz(3)')
    .addColumn('member_count', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('last_number', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('head_seq', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('head_tag', 'integer', (c) => c.notNull())
    .addColumn('floor_seq', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('floor_tag', 'integer', (c) => c.notNull())
    .addColumn('floor_number', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('oldest_at', 'timestamptz(3)')
    .execute();
  // Lists of OPEN rooms, one index for each RoomOrder. The rooms of a viewer are found by their memberships.
  await sql`create index rooms_open_by_activity on rooms (last_active_at, id) where kind = 'OPEN' and deleted_at is null`.execute(db);
  await sql`create index rooms_open_by_age on rooms (created_at, id) where kind = 'OPEN' and deleted_at is null`.execute(db);
  await sql`create index rooms_open_by_name on rooms (name_folded, id) where kind = 'OPEN' and deleted_at is null`.execute(db);
  // rooms(filter: { subject })
  await sql`create index rooms_by_subject on rooms (subject) where subject is not null`.execute(db);
  // openDirectRoom: one room per pair and subject until it is deleted
  await sql`create unique index rooms_direct_key on rooms (direct_key) where deleted_at is null`.execute(db);
  // Retention: the rooms with old entries, and the deleted rooms.
  await sql`create index rooms_by_oldest on rooms (oldest_at) where oldest_at is not null`.execute(db);
  await sql`create index rooms_deleted on rooms (deleted_at) where deleted_at is not null`.execute(db);

  await db.schema
    .createTable('memberships')
    .addColumn('id', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('room_id', sql`text collate "C"`, (c) => c.notNull().references('rooms.id').onDelete('cascade'))
    .addColumn('user_id', sql`text collate "C"`, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('joined_at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .execute();
  // Whether a viewer is a member of a room, and the rooms of a viewer
  await sql`create unique index memberships_by_user on memberships (user_id, room_id)`.execute(db);
  // Room.members, and the next owner of a room
  await sql`create index memberships_by_room on memberships (room_id, joined_at, id)`.execute(db);

  await db.schema
    .createTable('messages')
    .addColumn('id', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('room_id', sql`text collate "C"`, (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('tag', 'integer', (c) => c.notNull())
    .addColumn('changed_seq', 'bigint', (c) => c.notNull())
    .addColumn('number', 'bigint', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('sender_id', sql`text collate "C"`, (c) => c.references('users.id').onDelete('set null'))
    .addColumn('body', 'text')
    .addColumn('created_at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .addColumn('edited_at', 'timestamptz(3)')
    .addColumn('deleted_at', 'timestamptz(3)')
    .addColumn('deletion_reason', 'text')
    .addColumn('client_message_id', 'text')
    .addColumn('sent_hash', 'text')
    .execute();
  // Room.messages, in both directions
  await sql`create unique index messages_by_room on messages (room_id, seq)`.execute(db);
  // Room.lastMessage
  await sql`create index messages_said on messages (room_id, seq) where kind = 'TALK' and deleted_at is null`.execute(db);
  // A retry finds the first message with its key, in any room.
  await sql`create unique index messages_by_client_message_id on messages (sender_id, client_message_id) where client_message_id is not null`.execute(
    db,
  );

  await db.schema
    .createTable('room_log')
    .addColumn('room_id', sql`text collate "C"`, (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('tag', 'integer', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('at', 'timestamptz(3)', (c) => c.notNull().defaultTo(now))
    .addColumn('message_id', sql`text collate "C"`)
    .addColumn('user_id', sql`text collate "C"`)
    .addColumn('through_number', 'bigint')
    .addPrimaryKeyConstraint('room_log_pkey', ['room_id', 'seq'])
    .execute();

  // The key that signs guest tokens, shared by all nodes and kept across restarts.
  await db.schema
    .createTable('secrets')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute();
}
