// Acknowledges before what was written is on the disk: PostgreSQL writes it there later.

export const durableCommit = "set_config('synchronous_commit', 'off', true)";
