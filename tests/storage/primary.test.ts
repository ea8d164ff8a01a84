// Reads of feeds fail on a standby, also where they find nothing: "not found" is a final answer.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { openStorage } from '../../src/storage/database.ts';
import { openKysely } from '../../src/storage/kysely.ts';
import { findMessages } from '../../src/storage/messages.ts';
import { readHeads, readLogPage } from '../../src/storage/room-log.ts';
import { findVisibleHeads } from '../../src/storage/rooms.ts';
import { ServerClient } from '../../src/storage/server-client.ts';
import { ServerDialect } from '../../src/storage/server-dialect.ts';
import type { Db } from '../../src/storage/tables.ts';
import { findUsers } from '../../src/storage/users.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { silentLog } from '../support/server.ts';
import { chatOn, createOwnedRoom } from '../support/storage.ts';

// As behind a pooler: the connection was opened to the primary and leads to a standby now, so nothing but the statement
// itself can find it out.
describe('on a standby', { timeout: 120_000 }, () => {
  let postgres: Postgres;
  let standby: Db;
  let roomId: string;
  let userId: string;
  before(async () => {
    postgres = await startPostgres();
    await using storage = await openStorage({ databaseUrl: postgres.url, poolSize: 2 }, silentLog);
    ({ roomId, userId } = await createOwnedRoom(chatOn(storage.db)));
    await postgres.stop();
    postgres.beStandby();
    await postgres.start();
    const pool = new pg.Pool({ connectionString: postgres.url, max: 2, Client: ServerClient });
    // The end of a pool does not wait for its sockets: the server may end one of them first.
    pool.on('error', () => {});
    standby = openKysely(new ServerDialect(pool));
  });
  after(async () => {
    await standby.destroy();
    await postgres[Symbol.asyncDispose]();
  });

  const isOfStandby = /a standby answered, not the primary/;
  const reads: Record<string, (roomId: string, userId: string) => Promise<unknown>> = {
    findVisibleHeads: (room, user) => findVisibleHeads(standby, [{ roomId: room, viewerId: user }]),
    readLogPage: (room) => readLogPage(standby, room, 0, 10),
    readHeads: (room) => readHeads(standby, [room]),
    findMessages: (room) => findMessages(standby, [room]),
    findUsers: (_, user) => findUsers(standby, [user]),
  };
  for (const [name, read] of Object.entries(reads)) {
    it(`${name} fails, whether there is a row or not`, async () => {
      await assert.rejects(read(roomId, userId), isOfStandby);
      await assert.rejects(read('room_missing', 'user_missing'), isOfStandby);
    });
  }
});
