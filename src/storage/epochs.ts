// The starts of the database. After a restore or a failover that lost something, transaction ids are given out again, so a
// snapshot from before may show what was rolled back. Each start is an epoch with a random tag, which cursors of account streams name.

import { endOf, type Moment } from './cursor.ts';
import type { Db } from './tables.ts';

export interface Epoch {
  readonly tag: string;
  /** The first transaction that this start may have given to somebody else. */
  readonly firstXid: string;
}

/**
 * The statement that begins the epoch of this start of the database, unless another connection has. It runs before a connection
 * writes anything. A promoted standby and a copy of the folder have another start, and a restored dump is at another place: what
 * an earlier snapshot shows may be gone there. `isPooled`: through a pooler, writes may come first, so the same is assumed.
 */
export function beginEpochText(schema: string, isPooled: boolean): string {
  const epochs = `"${schema.replaceAll('"', '""')}".epochs`;
  return `
    insert into ${epochs} (started_at, place, tag, first_xid)
    select now.started_at, now.place, replace(gen_random_uuid()::text, '-', ''),
      case when ${!isPooled} and exists (select from ${epochs} where epochs.place = now.place)
        then pg_snapshot_xmin(pg_current_snapshot()) else '0'::xid8 end
    from (
      select pg_postmaster_start_time() as started_at,
        (select oid from pg_database where datname = current_database()) || '/' || '${epochs.replaceAll("'", "''")}'::regclass::oid as place
    ) as now
    where not exists (select from ${epochs} where epochs.started_at = now.started_at and epochs.place = now.place)
    on conflict (started_at, place) do nothing`;
}

/** All epochs, the first one first. */
export async function readEpochs(db: Db): Promise<readonly Epoch[]> {
  return db.selectFrom('epochs').select(['tag', 'firstXid']).orderBy('id').execute();
}

/** Whether everything that was visible at the moment is still there. Undefined if the epoch of the moment is not known. */
export function isKept(epochs: readonly Epoch[], { epoch, snapshot }: Moment): boolean | undefined {
  const index = epochs.findIndex(({ tag }) => tag === epoch);
  if (index === -1) return undefined;
  const end = BigInt(endOf(snapshot));
  return epochs.slice(index + 1).every(({ firstXid }) => end <= BigInt(firstXid));
}
