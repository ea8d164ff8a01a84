// Ensures that the primary answers a read of the log. A lagging standby would return an older head, which looks like a
// rollback. With a pooler, each statement may reach another server, so the check is part of the statement.

import { sql } from 'kysely';

/**
 * A column that makes the statement fail on a standby, with a division by zero. PostgreSQL evaluates it for each row, not
 * during planning, because the function is volatile.
 */
export const requirePrimary = sql<number>`1 / case when pg_is_in_recovery() then 0 else 1 end`.as('primary');
