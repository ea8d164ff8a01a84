// The right to read a room, as SQL. Every statement that reads rows of a room contains it, because a right that was checked
// by an earlier statement may be gone when the rows are read.

import { type Expression, type RawBuilder, sql } from 'kysely';
import { table } from './tables.ts';

/**
 * Whether a viewer may read the row of `rooms` in the same statement. Nobody may read a deleted room. Everyone may read an
 * OPEN room, and only members may read other rooms.
 */
export const mayRead = (viewerId: string | Expression<string>): RawBuilder<boolean> =>
  sql<boolean>`(rooms.deleted_at is null and (rooms.kind = 'OPEN' or ${isMember(viewerId)}))`;

/** Whether a user is a member of the row of `rooms` in the same statement. */
export const isMember = (userId: string | Expression<string>): RawBuilder<boolean> =>
  sql<boolean>`exists (select from ${table('memberships')} where memberships.room_id = rooms.id and memberships.user_id = ${userId})`;
