// Ensures that the primary answers a read. A lagging standby would return an older state, which looks like a rollback or a
// missing row. With a pooler, each statement may reach another server, so the check is part of the statement.

import { sql } from 'kysely';

/**
 * A table of one row. A statement reads from it, filters by `isPrimary`, and joins its own tables with a left join: the row
 * is there even if nothing else is found, so a standby fails the statement in this case as well. The cast fails with the text
 * as its message. PostgreSQL evaluates it for the row, not during planning, because the function is volatile.
 */
export const primary = sql<{ isPrimary: number }>`(
  select cast(case when pg_is_in_recovery() then 'a standby answered, not the primary' else '1' end as int) as is_primary
)`.as<'primary'>('primary');

/** The row of a left join that found nothing. */
export interface NoRow {
  readonly id: null;
}

export const isFound = <Row extends { readonly id: string }>(row: Row | NoRow): row is Row => row.id !== null;
