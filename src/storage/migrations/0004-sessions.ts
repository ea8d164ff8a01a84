// Sessions that were signed out, and which token named a user last. Both only add: nodes of the previous version ignore them,
// and keep accepting the tokens of sessions that were signed out.

import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  // No reference to users: the tokens of a user whose row was deleted stay revoked if the host application brings them back.
  // An empty session_id: all sessions of the subject that were issued up to issued_through, except kept_session_id.
  await sql`
    create table revocations (
      subject text not null,
      session_id text not null,
      issued_through double precision,
      kept_session_id text,
      expires_at timestamptz,
      written_by xid8 not null default pg_current_xact_id(),
      primary key (subject, session_id)
    )`.execute(db);
  // For the nodes, which read what was written since they last read.
  await sql`create index revocations_written_by on revocations (written_by)`.execute(db);
  // For the removal of what has expired.
  await sql`create index revocations_expires_at on revocations (expires_at)`.execute(db);
  // iat of the token that the name is from, in seconds. Null: the token did not say, or an earlier version wrote the name.
  await sql`alter table users add column name_issued_at double precision`.execute(db);
}
