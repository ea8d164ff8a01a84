// Answers before what was written is on the disk: PostgreSQL writes it there when it gets around to it.

import { sql } from 'kysely';
import * as original from '../../../../src/storage/sends.ts';

export * from '../../../../src/storage/sends.ts';

export const writeSends: typeof original.writeSends = async (db, sends) => {
  if (!db.isTransaction) return db.transaction().execute((trx) => writeSends(trx, sends));
  await sql`set local synchronous_commit = off`.execute(db);
  return original.writeSends(db, sends);
};
