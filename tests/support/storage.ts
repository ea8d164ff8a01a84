// Storage without a server, and functions that fill it with users, rooms and messages.

import { sql } from 'kysely';
import type { Bus } from '../../src/bus/bus.ts';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { type Chat, openChat } from '../../src/chat/chat.ts';
import { createRoom } from '../../src/chat/rooms.ts';
import { type Config, readConfig } from '../../src/config.ts';
import type { Position } from '../../src/storage/cursor.ts';
import { openStorage, type Storage } from '../../src/storage/database.ts';
import { entriesAfter, headOf, type LogEntry, readLogPage } from '../../src/storage/room-log.ts';
import type { Db, RoomRow } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { createPlace, type StorageName, silentLog } from './server.ts';

export interface TestStorage extends AsyncDisposable {
  readonly storage: Storage;
  readonly db: Db;
  readonly config: Config['storage'];
}

/** Opens storage of its own for a test. */
export async function openTestStorage(name: StorageName): Promise<TestStorage> {
  await using opened = new AsyncDisposableStack();
  const place = opened.use(await createPlace(name));
  const config = readConfig(place.env).storage;
  const storage = opened.use(await openStorage(config, silentLog));
  const cleanup = opened.move();
  return { storage, db: storage.db, config, [Symbol.asyncDispose]: () => cleanup.disposeAsync() };
}

/** A chat on this database, with an in-process bus by default. */
export const chatOn = (db: Db, bus: Bus = new MemoryBus()): Chat => openChat(db, bus);

/** Creates a guest and a room that the guest owns. */
export async function createOwnedRoom(chat: Chat, kind: 'OPEN' | 'PRIVATE' = 'OPEN', memberIds: string[] = []) {
  const { id: userId } = await createGuest(chat.db, 'Ada');
  const { id: roomId } = await createRoom(chat, userId, { kind, name: 'Room', memberIds });
  return { userId, roomId };
}

export async function getRoom(db: Db, roomId: string): Promise<RoomRow> {
  return db.selectFrom('rooms').selectAll().where('id', '=', roomId).executeTakeFirstOrThrow();
}

/** All entries of a room's log. */
export async function readAll(db: Db, roomId: string): Promise<readonly LogEntry[]> {
  const { floorSeq, floorTag } = await getRoom(db, roomId);
  return readLog(db, roomId, { seq: floorSeq, tag: floorTag }, 1_000_000);
}

/** Appends `count` messages to a room with one statement, as if they had been sent at `at`. Publishes nothing. */
export async function fillRoom(db: Db, roomId: string, count: number, at = new Date()): Promise<Position> {
  const { rows } = await sql<RoomRow>`
    with room as (select * from rooms where id = ${roomId} for update),
    message as (
      insert into messages (id, room_id, seq, tag, changed_seq, number, kind, sender_id, body, created_at)
      select replace('message_' || gen_random_uuid(), '-', ''), room.id, head_seq + i, (random() * 1e9)::int, head_seq + i,
        last_number + i, 'TALK', created_by, 'message ' || i, ${at}
      from room, generate_series(1, ${count}::int) as i
      returning id, room_id, seq, tag),
    entry as (
      insert into room_log (room_id, seq, tag, type, at, message_id)
      select room_id, seq, tag, 'MessageAdded', ${at}, id from message
      returning seq, tag)
    update rooms set head_seq = newest.seq, head_tag = newest.tag, last_number = last_number + ${count}::int,
      oldest_at = coalesce(oldest_at, ${at})
    from (select seq, tag from entry order by seq desc limit 1) as newest
    where id = ${roomId}
    returning rooms.*`.execute(db);
  return headOf(rows[0] as RoomRow);
}

/** Removes everything after a position of a room's log, like a failover that lost it. */
export async function rollBackTo(db: Db, roomId: string, { seq, tag }: Position): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { lastNumber } = await trx
      .selectFrom('messages')
      .select((eb) => eb.fn.coalesce(eb.fn.max('number'), sql<number>`0`).as('lastNumber'))
      .where('roomId', '=', roomId)
      .where('seq', '<=', seq)
      .executeTakeFirstOrThrow();
    for (const table of ['messages', 'roomLog'] as const) {
      await trx.deleteFrom(table).where('roomId', '=', roomId).where('seq', '>', seq).execute();
    }
    await trx.updateTable('rooms').set({ headSeq: seq, headTag: tag, lastNumber }).where('id', '=', roomId).execute();
  });
}

/** Whole numbers from `first` to `last`. */
export const range = (first: number, last: number) => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);

/** The entries after `after`, oldest first, at most `limit`. */
export async function readLog(db: Db, roomId: string, after: Position, limit: number): Promise<readonly LogEntry[]> {
  return entriesAfter(await readLogPage(db, roomId, after.seq, limit), after) as readonly LogEntry[];
}

/** The database, with `afterRun` called with the text of each statement that is compiled once, after it ran and before its result is known. */
export const delayStatements = (db: Db, afterRun: (text: string) => Promise<void>): Db =>
  new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'executeQuery') return value.bind(target);
      return async (query: { sql: string }) => {
        const result: unknown = await value.call(target, query);
        await afterRun(query.sql);
        return result;
      };
    },
  });

/** The database, with `onRun` called before each run of a statement that is compiled once: see src/storage/statement.ts. */
export const observeStatements = (db: Db, onRun: () => void): Db =>
  new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'executeQuery') onRun();
        return value.apply(target, args);
      };
    },
  });
