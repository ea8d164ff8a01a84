// Durability of one transaction: an acknowledged row survives a crash of the server, whatever the default of the database.
// Set per transaction and not per session, because a pooler may run each transaction in another session.

/** Expression that raises `synchronous_commit` to `on` until the transaction ends. A stronger setting stays. */
export const durableCommit =
  "case when current_setting('synchronous_commit') in ('on', 'remote_apply') then null else set_config('synchronous_commit', 'on', true) end";
