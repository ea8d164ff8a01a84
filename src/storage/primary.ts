// Makes sure that a read of the log is answered by the primary. A standby that lags would show an older head, which looks
// like a rollback. Behind a pooler each statement may reach another server, so the check is part of the statement.

import { sql } from 'kysely';

/**
 * A column that makes the statement fail on a standby, with a division by zero. PostgreSQL evaluates it for each row and
 * not while it plans, because the function is volatile.
 */
export const requirePrimary = sql<number>`1 / case when pg_is_in_recovery() then 0 else 1 end`.as('primary');
