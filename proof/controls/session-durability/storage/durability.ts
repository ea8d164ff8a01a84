// Leaves a transaction as durable as its session is.

export const durableCommit = 'null::text';
