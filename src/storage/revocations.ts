// The sessions that were signed out, until their tokens would have expired anyway. A reader that passes the place that its last
// read returned misses no revocation, however late its transaction commits.

import { sql } from 'kysely';
import { primary } from './primary.ts';
import { statement } from './statement.ts';
import { type Db, type Trx, table } from './tables.ts';

/** The session of a token. */
export interface Session {
  /** `sub` of the token. */
  readonly subject: string;
  /** `jti` of the token, or a hash of the token if it has none. Unique for the subject. */
  readonly id: string;
  /** `iat` of the token, in seconds. 0 if it has none. */
  readonly issuedAt: number;
}

export interface Revocation {
  readonly subject: string;
  /** Empty: every session that was issued up to `issuedThrough`, except `keptSessionId`. */
  readonly sessionId: string;
  readonly issuedThrough: number | null;
  readonly keptSessionId: string | null;
  /** Null: never. */
  readonly expiresAt: Date | null;
}

/** Where the first read starts. */
export const everyRevocation = '0';

/** How long a revocation outlives its tokens: far more than the clocks of nodes differ. */
const outlives = sql`interval '1 hour'`;

/**
 * What was written since the read that returned `after`. A transaction that was under way during that read may commit later,
 * so a place is the oldest transaction that was under way, and a read may repeat rows. The ids of transactions start anew in
 * a database that was restored: a place that is ahead of it reads everything.
 */
const since = statement<(Revocation | { subject: null }) & { place: string }, [after: string]>(
  (after) => sql`
    with place as (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
    select subject, session_id, issued_through, kept_session_id, expires_at, place.xmin::text as place
    from ${primary} cross join place
    left join ${table('revocations')}
      on written_by >= case when ${after}::text::xid8 > place.xmin then '0'::xid8 else ${after}::text::xid8 end
      and (expires_at is null or expires_at > statement_timestamp() - ${outlives})
    where is_primary = 1`,
);

export async function readRevocations(db: Db, after: string): Promise<{ revocations: readonly Revocation[]; place: string }> {
  const rows = await since(db, after);
  const revocations = rows.filter((row): row is Revocation & { place: string } => row.subject !== null);
  return { revocations, place: rows[0]?.place ?? after };
}

/** Revokes one session. A repeated call is read again by every node. */
export async function revokeSession(trx: Trx, { subject, id }: Session, expiresAt: Date): Promise<void> {
  await sql`
    insert into ${table('revocations')} (subject, session_id, expires_at) values (${subject}, ${id}, ${expiresAt})
    on conflict (subject, session_id) do update set expires_at = excluded.expires_at, written_by = pg_current_xact_id()`.execute(trx);
}

export interface OtherSessions {
  /** The session that asks. */
  readonly session: Session;
  /** The only session that stays. */
  readonly keptSessionId: string;
  /** Sessions that claim to be issued up to this many seconds from now are revoked too. */
  readonly aheadSeconds: number;
  readonly expiresAt: Date | null;
}

/** Revokes all sessions of the subject but one. False if the session that asks has been revoked itself. */
export async function revokeOtherSessions(trx: Trx, { session, keptSessionId, aheadSeconds, expiresAt }: OtherSessions): Promise<boolean> {
  const { subject, id, issuedAt } = session;
  const { rows } = await sql`
    insert into ${table('revocations')} (subject, session_id, issued_through, kept_session_id, expires_at)
    select ${subject}::text, '', extract(epoch from statement_timestamp())::double precision + ${aheadSeconds}::int,
      ${keptSessionId}::text, ${expiresAt}::timestamptz
    where not exists (select from ${table('revocations')} where subject = ${subject} and session_id = ${id})
    on conflict (subject, session_id) do update
      set issued_through = greatest(revocations.issued_through, excluded.issued_through),
        kept_session_id = excluded.kept_session_id, expires_at = excluded.expires_at, written_by = pg_current_xact_id()
      where revocations.issued_through < ${issuedAt} or revocations.kept_session_id = ${id}
    returning subject`.execute(trx);
  return rows.length > 0;
}

export async function removeExpiredRevocations(db: Db): Promise<void> {
  await sql`delete from ${table('revocations')} where expires_at < statement_timestamp() - ${outlives}`.execute(db);
}
