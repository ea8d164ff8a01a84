// A user whose row is deleted leaves their rooms in the same transaction, with an entry in each room's log: whoever deletes
// the row, the member counts stay right and streams that need the membership end.

import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  // 32 random bits, as newTag() makes them.
  await sql`
    create function gapless_append(of_room text, of_type text, of_user text) returns void language sql as $$
      with entry as (
        insert into room_log (room_id, seq, tag, type, at, user_id)
        select id, head_seq + 1, (floor(random() * 4294967296) - 2147483648)::int, of_type, statement_timestamp(), of_user
        from rooms where id = of_room
        returning seq, tag, at)
      update rooms set head_seq = entry.seq, head_tag = entry.tag, oldest_at = coalesce(oldest_at, entry.at)
      from entry where id = of_room
    $$`.execute(db);
  // Rooms are locked in ascending order, as everywhere. An owner's place goes to the member who joined first, and a PRIVATE
  // room ends with its last member, as in leaveRoom.
  await sql`
    create function gapless_leave_rooms() returns trigger language plpgsql as $$
    declare
      membership record;
      room record;
    begin
      for membership in select id, room_id, role from memberships where user_id = old.id order by room_id loop
        select kind, deleted_at into room from rooms where id = membership.room_id for update;
        delete from memberships where id = membership.id;
        update rooms set member_count = member_count - 1 where id = membership.room_id;
        continue when room.deleted_at is not null;
        perform gapless_append(membership.room_id, 'MemberLeft', old.id);
        if membership.role = 'OWNER' then
          update memberships set role = 'OWNER'
            where id = (select id from memberships where room_id = membership.room_id order by joined_at, id limit 1);
        end if;
        if room.kind = 'PRIVATE' and not exists (select from memberships where room_id = membership.room_id) then
          perform gapless_append(membership.room_id, 'RoomDeleted', null);
          update rooms set deleted_at = statement_timestamp() where id = membership.room_id;
        end if;
      end loop;
      return old;
    end
    $$`.execute(db);
  await sql`create trigger users_leave_rooms before delete on users for each row execute function gapless_leave_rooms()`.execute(db);
}
