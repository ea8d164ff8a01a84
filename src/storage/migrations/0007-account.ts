// Read markers, unread counts, and what the account stream needs: which transaction changed a room or membership last, and a
// table of the changes of the last hours. Only adds. Triggers stamp what nodes of an earlier version and operators write.

import { type Kysely, sql } from 'kysely';

// biome-ignore lint/suspicious/noExplicitAny: a migration depends on the tables of its time, not on the current types.
export async function up(db: Kysely<any>): Promise<void> {
  // In the order in which a change takes them, so that nodes that run meanwhile wait, and seldom deadlock.
  await sql`lock table users, rooms, memberships, messages, room_log in access exclusive mode`.execute(db);
  await counts(db);
  await markers(db);
  await changes(db);
  await writersThatDoNotStamp(db);
  await activity(db);
}

/** How many TALK messages a room has had. Of the time before, joining and leaving count as messages, because the count of a room is not known. */
async function counts(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table rooms
      add column talk_count bigint not null default 0,
      add column floor_talk_count bigint not null default 0,
      add column last_deleted_number bigint not null default 0,
      add column changed_xid xid8 not null default '0'`.execute(db);
  await sql`alter table rooms alter column changed_xid set default pg_current_xact_id()`.execute(db);
  await sql`update rooms set talk_count = last_number, floor_talk_count = floor_number where last_number > 0`.execute(db);
  // TALK messages of the room up to this entry. Null for an entry from before: the number of the newest message counts. Not in
  // `messages`, because nodes of version 0.1.0 prepare a statement that returns all columns of that table, and it would fail.
  await sql`alter table room_log add column talk_count bigint`.execute(db);
  // Unread counts: the deleted messages after a marker.
  await sql`create index messages_deleted on messages (room_id, seq) where kind = 'TALK' and deleted_at is not null`.execute(db);
}

/** No index has one of these columns, so that moving a marker is a HOT update. */
async function markers(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table memberships
      add column read_seq bigint not null default 0,
      add column read_tag integer not null default 0,
      add column read_number bigint not null default 0,
      add column read_talk bigint not null default 0,
      add column read_version bigint not null default 0,
      add column seen_number bigint not null default 0,
      add column notification_level text not null default 'ALL',
      add column muted_until timestamptz(3),
      add column changed_xid xid8 not null default '0'`.execute(db);
  await sql`alter table memberships alter column changed_xid set default pg_current_xact_id()`.execute(db);
  await sql`alter table memberships set (fillfactor = 80)`.execute(db);
  // Nobody wants to find years of messages unread.
  await sql`
    update memberships set read_seq = head_seq, read_tag = head_tag, read_number = last_number, read_talk = talk_count, seen_number = last_number
    from rooms where rooms.id = room_id`.execute(db);
  await sql`alter table users add column shares_receipts boolean not null default true`.execute(db);
  // Nodes of an earlier version add members without a marker. A new member has read the messages from before.
  await sql`
    create function gapless_member_has_read() returns trigger language plpgsql set search_path from current as $$
    declare
      room record;
    begin
      select head_seq, head_tag, last_number, talk_count into room from rooms where id = new.room_id;
      if found then
        new.read_seq := room.head_seq;
        new.read_tag := room.head_tag;
        new.read_number := room.last_number;
        new.read_talk := room.talk_count;
        new.seen_number := room.last_number;
      end if;
      return new;
    end
    $$`.execute(db);
  await sql`
    create trigger memberships_have_read before insert on memberships
    for each row when (new.read_seq = 0 and new.read_tag = 0) execute function gapless_member_has_read()`.execute(db);
}

async function changes(db: Kysely<unknown>): Promise<void> {
  // One row for each room and transaction, for each user and room, for each user, or for each subject whose sessions were revoked. Written
  // to three partitions in turn, by the hour, so that an old one can be truncated: see storage/changes.ts.
  await sql`
    create table changes (
      xid xid8 not null default pg_current_xact_id(),
      slot integer not null default (extract(epoch from statement_timestamp())::bigint / 3600) % 3,
      room_id text collate "C",
      user_id text collate "C",
      subject text
    ) partition by list (slot)`.execute(db);
  for (const slot of [0, 1, 2]) {
    await sql`create table ${sql.table(`changes_${slot}`)} partition of changes for values in (${sql.lit(slot)})`.execute(db);
  }
  await sql`create index changes_by_xid on changes (xid)`.execute(db);
  // What leaves no membership behind, for 30 days.
  await sql`
    create table departures (
      user_id text collate "C" not null references users (id) on delete cascade,
      room_id text collate "C" not null,
      xid xid8 not null default pg_current_xact_id(),
      at timestamptz(3) not null default statement_timestamp(),
      reason text not null,
      primary key (user_id, room_id)
    )`.execute(db);
  await sql`create index departures_by_age on departures (at)`.execute(db);
  // A start of the database at a place: the database and this table. Transaction ids of an earlier one may have been given out
  // again, and those of another place mean nothing here.
  await sql`
    create table epochs (
      id bigint generated always as identity primary key,
      started_at timestamptz not null,
      place text not null,
      tag text not null,
      first_xid xid8 not null,
      unique (started_at, place)
    )`.execute(db);
  await sql`
    create function gapless_member_arrives() returns trigger language plpgsql set search_path from current as $$
    begin
      delete from departures using arrived where departures.user_id = arrived.user_id and departures.room_id = arrived.room_id;
      insert into changes (room_id, user_id) select room_id, user_id from arrived;
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger memberships_arrive after insert on memberships referencing new table as arrived
    for each statement execute function gapless_member_arrives()`.execute(db);
  // A member who leaves by themselves is REMOVED here, and LEFT once the statement after this one says so. Nothing is written for
  // the members of a deleted room: its row and its memberships stay as long as a departure would.
  await sql`
    create function gapless_member_departs() returns trigger language plpgsql set search_path from current as $$
    begin
      insert into departures (user_id, room_id, reason)
        select user_id, room_id, 'REMOVED' from departed
        where exists (select from users where id = user_id) and exists (select from rooms where id = room_id and deleted_at is null)
        order by user_id, room_id
        on conflict (user_id, room_id) do update set xid = excluded.xid, at = excluded.at, reason = excluded.reason;
      insert into changes (room_id, user_id) select room_id, user_id from departed;
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger memberships_depart after delete on memberships referencing old table as departed
    for each statement execute function gapless_member_departs()`.execute(db);
  await sql`
    create function gapless_user_changes() returns trigger language plpgsql set search_path from current as $$
    begin
      insert into changes (user_id) values (new.id);
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger users_noted after update on users for each row
    when (new.name <> old.name or new.avatar_url is distinct from old.avatar_url or new.shares_receipts <> old.shares_receipts)
    execute function gapless_user_changes()`.execute(db);
  // Operators revoke sessions too.
  await sql`
    create function gapless_session_ends() returns trigger language plpgsql set search_path from current as $$
    begin
      insert into changes (subject) values (new.subject);
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger revocations_noted after insert or update on revocations
    for each row execute function gapless_session_ends()`.execute(db);
  await sql`
    create function gapless_role_changes() returns trigger language plpgsql set search_path from current as $$
    begin
      new.changed_xid := pg_current_xact_id();
      insert into changes (room_id, user_id) values (new.room_id, new.user_id);
      return new;
    end
    $$`.execute(db);
  await sql`
    create trigger memberships_role before update of role on memberships
    for each row when (new.role <> old.role) execute function gapless_role_changes()`.execute(db);
}

/**
 * Counts and stamps the changes of rooms that do neither themselves. At the end of the transaction, because a statement may
 * write messages after the room.
 */
async function writersThatDoNotStamp(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function gapless_stamp_room() returns trigger language plpgsql set search_path from current as $$
    declare
      talks bigint;
      through bigint;
    begin
      with counted as (
        select room_log.seq, rooms.talk_count + count(*) filter (where messages.kind = 'TALK') over (order by room_log.seq) as talks
        from room_log join rooms on rooms.id = room_log.room_id
          left join messages on messages.room_id = room_log.room_id and messages.seq = room_log.seq
        where room_log.room_id = new.id and room_log.seq > old.head_seq and room_log.seq <= new.head_seq and room_log.talk_count is null
      )
      update room_log set talk_count = counted.talks from counted where room_id = new.id and room_log.seq = counted.seq;
      select max(talk_count) into talks from room_log where room_id = new.id and seq > old.head_seq and seq <= new.head_seq;
      select max(number) into through from messages join room_log on room_log.message_id = messages.id and room_log.room_id = messages.room_id
        where room_log.room_id = new.id and room_log.seq > old.head_seq and room_log.seq <= new.head_seq and room_log.type = 'MessageDeleted';
      update rooms set changed_xid = pg_current_xact_id(),
        talk_count = greatest(talk_count, talks),
        last_deleted_number = greatest(last_deleted_number, through),
        floor_talk_count = case when new.floor_seq = old.floor_seq then floor_talk_count else coalesce(
          (select room_log.talk_count - case when messages.kind = 'TALK' then 1 else 0 end
            from room_log left join messages on messages.room_id = room_log.room_id and messages.seq = room_log.seq
            where room_log.room_id = new.id and room_log.seq > new.floor_seq and room_log.talk_count is not null
            order by room_log.seq limit 1),
          greatest(talk_count, talks)) end
        where id = new.id;
      insert into changes (room_id) values (new.id);
      return null;
    end
    $$`.execute(db);
  await sql`
    create constraint trigger rooms_stamped after update on rooms deferrable initially deferred
    for each row when (new.head_seq > old.head_seq and new.changed_xid <> pg_current_xact_id())
    execute function gapless_stamp_room()`.execute(db);
}

/**
 * The OPEN rooms by the 10 s in which they were last active, for RECENTLY_ACTIVE. A table of its own: with an index on a column
 * of `rooms` that each send changes, no update by a send would be HOT.
 */
async function activity(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table room_activity (
      room_id text collate "C" primary key references rooms (id) on delete cascade,
      active_at timestamptz(3) not null
    )`.execute(db);
  await sql`
    create function gapless_ten_seconds(at timestamptz) returns timestamptz language sql stable set search_path from current as
    $$ select to_timestamp(floor(extract(epoch from at) / 10) * 10) $$`.execute(db);
  await sql`
    insert into room_activity select id, gapless_ten_seconds(last_active_at) from rooms where kind = 'OPEN' and deleted_at is null`.execute(
    db,
  );
  await sql`create index room_activity_by_time on room_activity (active_at, room_id)`.execute(db);
  await sql`
    create function gapless_room_is_active() returns trigger language plpgsql set search_path from current as $$
    begin
      if new.deleted_at is not null then
        delete from room_activity where room_id = new.id;
      else
        insert into room_activity values (new.id, gapless_ten_seconds(new.last_active_at))
          on conflict (room_id) do update set active_at = excluded.active_at;
      end if;
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger rooms_appear after insert on rooms
    for each row when (new.kind = 'OPEN') execute function gapless_room_is_active()`.execute(db);
  await sql`
    create trigger rooms_are_active after update on rooms
    for each row when (new.kind = 'OPEN' and (new.deleted_at is distinct from old.deleted_at
      or (new.last_active_at <> old.last_active_at
        and floor(extract(epoch from new.last_active_at) / 10) <> floor(extract(epoch from old.last_active_at) / 10))))
    execute function gapless_room_is_active()`.execute(db);
  await sql`drop index rooms_open_by_activity`.execute(db);
  await sql`alter table rooms set (fillfactor = 70)`.execute(db);
}
