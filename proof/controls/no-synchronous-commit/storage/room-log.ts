// Answers before what was written is on the disk: PostgreSQL writes it there when it gets around to it.

import { sql } from 'kysely';
import * as original from '../../../../src/storage/room-log.ts';

export * from '../../../../src/storage/room-log.ts';

export const lockRoom: typeof original.lockRoom = async (trx, roomId) => {
  await sql`set local synchronous_commit = off`.execute(trx);
  return original.lockRoom(trx, roomId);
};
