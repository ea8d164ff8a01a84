// The right to a room, as SQL. Every statement that reads what belongs to a room has this in it: a right that was looked
// at before the read may be gone when the rows are read.

import { type Expression, type RawBuilder, sql } from 'kysely';

/** Whether a viewer may read the row of `rooms` in the same statement: nobody reads a deleted room; everyone reads an OPEN one; members read theirs. */
export const mayRead = (viewerId: string | Expression<string>): RawBuilder<boolean> =>
  sql<boolean>`(rooms.deleted_at is null and (rooms.kind = 'OPEN' or ${isMember(viewerId)}))`;

/** Whether a user is a member of the row of `rooms` in the same statement. */
export const isMember = (userId: string | Expression<string>): RawBuilder<boolean> =>
  sql<boolean>`exists (select from memberships where memberships.room_id = rooms.id and memberships.user_id = ${userId})`;
