// Removes the oldest entries of a room, and the rows of deleted rooms, in batches of bounded size.

import { sql } from 'kysely';
import type { LockedRoom } from './locked-room.ts';
import type { Db, Trx } from './tables.ts';

/** Key of the advisory lock that makes one node the cleaner. Arbitrary. */
const advisoryLock = 4_736_170_117;
/** Maximum number of entries in one batch. Sends to the room wait while a batch is removed. */
const batchSize = 1000;

/** Whether this transaction is the cleaner. Does not wait for another one. */
export async function isCleaner(trx: Trx): Promise<boolean> {
  const { rows } = await sql<{ ours: boolean }>`select pg_try_advisory_xact_lock(${advisoryLock}) as ours`.execute(trx);
  return rows[0]?.ours === true;
}

/** The time by the clock of the database, which also wrote the times of the rows. Nodes' clocks may be wrong. */
export async function readClockMs(db: Db): Promise<number> {
  const { rows } = await sql<{ at: Date }>`select statement_timestamp() as at`.execute(db);
  return (rows[0] as { at: Date }).at.getTime();
}

/** A room whose oldest entry was written before `cutoff`. */
export async function findRoomToTrim(db: Db, cutoff: Date, except: readonly string[]): Promise<string | undefined> {
  const room = await db
    .selectFrom('rooms')
    .select('id')
    .where('oldestAt', '<', cutoff)
    .$if(except.length > 0, (qb) => qb.where('id', 'not in', except))
    .where('deletedAt', 'is', null)
    .orderBy('oldestAt')
    .limit(1)
    .executeTakeFirst();
  return room?.id;
}

/** A room that was deleted before `cutoff` and has messages or entries, or that was deleted before `rowCutoff`. */
export async function findRoomToPurge(db: Db, cutoff: Date, rowCutoff: Date, except: readonly string[]): Promise<string | undefined> {
  const room = await db
    .selectFrom('rooms')
    .select('id')
    .where('deletedAt', '<', cutoff)
    .where((eb) => eb.or([eb('oldestAt', 'is not', null), eb('deletedAt', '<', rowCutoff)]))
    .$if(except.length > 0, (qb) => qb.where('id', 'not in', except))
    .orderBy('deletedAt')
    .limit(1)
    .executeTakeFirst();
  return room?.id;
}

/** Removes a batch of the entries that were written before `cutoff`, and writes one HistoryTrimmed entry. */
export async function trimRoom(room: LockedRoom, cutoff: Date): Promise<void> {
  const { trx, row } = room;
  const front = await trx
    .selectFrom('roomLog')
    .select(['seq', 'tag', 'type', 'at', 'talkCount'])
    .where('roomId', '=', row.id)
    .orderBy('seq')
    .limit(batchSize + 1)
    .execute();
  const kept = front.findIndex((entry) => entry.at >= cutoff);
  const old = front.slice(0, kept === -1 ? batchSize : kept);
  const next = front[old.length];
  const floor = old.at(-1);
  // The removal of a HistoryTrimmed entry does not write another HistoryTrimmed entry. A batch that contains only such
  // entries is removed if it is full, because otherwise the old entries after it would never be reached.
  if (!floor || (old.length < batchSize && old.every((entry) => entry.type === 'HistoryTrimmed'))) {
    await room.update({ oldestAt: next?.at ?? null });
    return;
  }
  const through = await trx
    .selectFrom('messages')
    .select('number')
    .where('roomId', '=', row.id)
    .where('seq', '<=', floor.seq)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const throughNumber = Math.max(through?.number ?? 0, row.floorNumber);
  const floorTalkCount = Math.max(floor.talkCount ?? throughNumber, row.floorTalkCount);
  await trx.deleteFrom('roomLog').where('roomId', '=', row.id).where('seq', '<=', floor.seq).execute();
  await trx
    .deleteFrom('messages')
    .where('roomId', '=', row.id)
    .where('seq', '<=', floor.seq)
    .where('changedSeq', '<=', floor.seq)
    .execute();
  // A message that a kept entry names stays as a tombstone until that entry is removed.
  await trx
    .updateTable('messages')
    .set({ body: null, deletedAt: sql<Date>`coalesce(deleted_at, clock_timestamp())` })
    .where('roomId', '=', row.id)
    .where('seq', '>', row.floorSeq)
    .where('seq', '<=', floor.seq)
    .execute();
  const changes = { floorSeq: floor.seq, floorTag: floor.tag, floorNumber: throughNumber, floorTalkCount, oldestAt: next?.at ?? null };
  await room.append({ type: 'HistoryTrimmed', throughNumber }, changes);
}

/**
 * Removes a batch of a deleted room's messages and entries. Once none is left, removes the room's row with its memberships if it
 * was deleted before `rowCutoff`: until then, they tell account streams that the room is gone.
 */
export async function purgeRoom(room: LockedRoom, rowCutoff: Date): Promise<void> {
  const { trx, row } = room;
  for (const table of ['messages', 'roomLog'] as const) {
    const batch = trx.selectFrom(table).select('seq').where('roomId', '=', row.id).orderBy('seq').limit(batchSize);
    const { numDeletedRows } = await trx.deleteFrom(table).where('roomId', '=', row.id).where('seq', 'in', batch).executeTakeFirst();
    if (numDeletedRows > 0n) return;
  }
  if (row.deletedAt && row.deletedAt < rowCutoff) await trx.deleteFrom('rooms').where('id', '=', row.id).execute();
  else await room.update({ oldestAt: null });
}
