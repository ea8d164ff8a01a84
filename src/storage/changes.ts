// What changed lately, in all rooms. A reader that passes the snapshot of its last read misses no change, however late its
// transaction commits: the next read returns exactly the rows whose transaction that snapshot does not show.

import { sql } from 'kysely';
import { endOf, type Moment, underWayIn } from './cursor.ts';
import { defaultSchema } from './kysely.ts';
import { type MomentRow, moment, toMoment } from './moment.ts';
import { SchemaPlugin } from './schema-plugin.ts';
import { statement } from './statement.ts';
import { type Db, type MessageRow, type Trx, table } from './tables.ts';

/** The changes between two moments. Repeats nothing, and is in no order. */
export interface Changes {
  /** The rooms that changed. */
  readonly rooms: readonly string[];
  /** The memberships that began, changed or ended. */
  readonly memberships: readonly { readonly userId: string; readonly roomId: string }[];
  /** The users whose name, picture or settings changed. */
  readonly users: readonly string[];
  /** The subjects of revoked sessions. */
  readonly subjects: readonly string[];
  /** The moment of this read. */
  readonly moment: Moment;
}

interface Row extends MomentRow {
  readonly roomId: string | null;
  readonly userId: string | null;
  readonly subject: string | null;
}

/** How long a change is kept at least. */
export const keptMs = 3_600_000;
const slots = 3;

// The rows of a restored dump may have ids that were not given out here yet.
const since = statement<Row, [end: string | null, underWay: readonly string[]]>(
  (end, underWay) => sql`
    select moment.epoch, moment.snapshot, moment.at, change.room_id, change.user_id, change.subject
    from ${moment} left join lateral (
      select distinct room_id, user_id, subject from ${table('changes')}
      where (xid >= ${end}::text::xid8 and xid < pg_snapshot_xmax(pg_current_snapshot())) or xid = any(${underWay}::text[]::xid8[])
    ) as change on true`,
);

/** What changed since `after`. Without it, only the present moment. */
export async function readChanges(db: Db, after: Moment | undefined): Promise<Changes> {
  const rows = await since(db, after ? endOf(after.snapshot) : null, after ? underWayIn(after.snapshot) : []);
  const [first] = rows as [Row];
  const rooms: string[] = [];
  const memberships: { userId: string; roomId: string }[] = [];
  const users: string[] = [];
  const subjects: string[] = [];
  for (const { roomId, userId, subject } of rows) {
    if (subject !== null) subjects.push(subject);
    else if (roomId !== null && userId !== null) memberships.push({ userId, roomId });
    else if (roomId !== null) rooms.push(roomId);
    else if (userId !== null) users.push(userId);
  }
  return { rooms, memberships, users, subjects, moment: toMoment(first) };
}

/** Notes that memberships changed in this transaction. Those that begin or end are noted by a trigger, as users are. */
export async function noteMemberships(trx: Db, memberships: readonly { userId: string; roomId: string }[]): Promise<void> {
  const values = memberships.map(({ userId, roomId }) => ({ userId, roomId }));
  if (values.length > 0) await trx.insertInto('changes').values(values).execute();
}

/**
 * Notes the membership of the sender of a message that was deleted in this transaction, if it is after their read marker. A client
 * that counts cannot see whose message was deleted, and a sender's own message was not counted.
 */
export async function noteUnreadSender(
  trx: Trx,
  { senderId, roomId, number }: Pick<MessageRow, 'senderId' | 'roomId' | 'number'>,
): Promise<void> {
  await trx
    .insertInto('changes')
    .columns(['roomId', 'userId'])
    .expression((eb) =>
      eb
        .selectFrom('memberships')
        .select(['roomId', 'userId'])
        .where('roomId', '=', roomId)
        .where('userId', '=', senderId)
        .where('readNumber', '<', number),
    )
    .execute();
}

/** Notes that the name, picture or settings of a user changed in this transaction. */
export async function noteUser(trx: Trx, userId: string): Promise<void> {
  await trx.insertInto('changes').values({ userId }).execute();
}

/**
 * Removes changes that are more than an hour old. They are in a partition that nobody writes to before the next hour, so that
 * nothing is removed in the last minute of an hour. It is truncated, which takes a lock that a dump may hold: in that case it
 * fails soon, and is repeated later.
 */
export async function removeOldChanges(db: Db): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local lock_timeout = 200`.execute(trx);
    const { rows } = await sql<{ slot: number; used: boolean }>`
      select old.slot, extract(minute from statement_timestamp()) < 59
        and exists (select from ${table('changes')} where changes.slot = old.slot) as used
      from (select ((extract(epoch from statement_timestamp())::bigint / 3600 + 1) % ${sql.lit(slots)})::int as slot) as old`.execute(trx);
    const [old] = rows as [{ slot: number; used: boolean }];
    if (old.used) await sql`truncate ${sql.id(SchemaPlugin.schemaOf(db) ?? defaultSchema, `changes_${old.slot}`)}`.execute(trx);
  });
}
