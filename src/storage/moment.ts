// The present moment, as part of a statement: what the statement reads is exactly what a cursor of this moment shows.

import { sql } from 'kysely';
import type { Moment } from './cursor.ts';
import { primary } from './primary.ts';
import { table } from './tables.ts';

export interface MomentRow {
  readonly epoch: string;
  readonly snapshot: string;
  readonly at: Date;
}

/** A table of one row. A statement reads from it, and joins its own tables with a left join. */
export const moment = sql<MomentRow>`(
  select epoch.tag as epoch, pg_current_snapshot()::text as snapshot, statement_timestamp() as at
  from ${primary} cross join lateral (select tag from ${table('epochs')} order by id desc limit 1) as epoch
  where is_primary = 1
)`.as<'moment'>('moment');

export const toMoment = ({ epoch, snapshot, at }: MomentRow): Moment => ({ epoch, snapshot, atSeconds: Math.floor(at.getTime() / 1000) });
