// Reads the database without the API, as the oracle of what was written and what was not.

import assert from 'node:assert/strict';
import type { Server } from './server.ts';

/** The types of a room's entries, oldest first: `MemberJoined`, `MessageAdded ENTER`. Throws if `seq` has a gap. */
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

/** All rows of all tables. The result is the same as long as nothing is written, not even a head of a room. */
export async function everythingIn({ app: { storage, senderMarkers } }: Server) {
  await senderMarkers.flush();
  const all = (table: 'users' | 'rooms' | 'memberships' | 'messages') =>
    storage.db.selectFrom(table).selectAll().orderBy('id').execute() as Promise<object[]>;
  const log = storage.db.selectFrom('roomLog').selectAll().orderBy('roomId').orderBy('seq').execute();
  return Promise.all([all('users'), all('rooms'), all('memberships'), all('messages'), log]);
}
