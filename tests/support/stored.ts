// What the database holds, read past the API: the oracle of what was written, and that nothing was.

import assert from 'node:assert/strict';
import type { Server } from './server.ts';

/** What the log of a room says, oldest first: `MemberJoined`, `MessageAdded ENTER`. Throws where its seq has a hole. */
export async function logOf({ app }: Server, roomId: string): Promise<string[]> {
  const entries = await app.storage.db
    .selectFrom('roomLog')
    .leftJoin('messages', 'messages.id', 'roomLog.messageId')
    .where('roomLog.roomId', '=', roomId)
    .select(['roomLog.seq', 'roomLog.type', 'messages.kind'])
    .orderBy('roomLog.seq')
    .execute();
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    entries.map((_, index) => index + 1),
  );
  return entries.map(({ type, kind }) => (kind === null ? type : `${type} ${kind}`));
}

/** Every row there is. Deep-equal to itself for as long as nothing is written; a seq that was burnt shows in its room. */
export async function everythingIn({ app: { storage } }: Server) {
  const all = (table: 'users' | 'rooms' | 'memberships' | 'messages') =>
    storage.db.selectFrom(table).selectAll().orderBy('id').execute() as Promise<object[]>;
  const log = storage.db.selectFrom('roomLog').selectAll().orderBy('roomId').orderBy('seq').execute();
  return Promise.all([all('users'), all('rooms'), all('memberships'), all('messages'), log]);
}
