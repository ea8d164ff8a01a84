// The log of a room: written in the order of commit, read after a position, with an error for a position that it does not hold.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sendMessage } from '../../src/chat/messages.ts';
import type { GaplessError } from '../../src/errors.ts';
import { decodeCursor, encodeCursor, type Position } from '../../src/storage/cursor.ts';
import { floorOf, headOf } from '../../src/storage/room-log.ts';
import type { Db } from '../../src/storage/tables.ts';
import { storages } from '../support/server.ts';
import {
  chatOn,
  createOwnedRoom,
  fillRoom,
  getRoom,
  openTestStorage,
  range,
  readAll,
  readLog,
  type TestStorage,
} from '../support/storage.ts';

const isExpired = ({ code }: GaplessError) => code === 'CURSOR_EXPIRED';

for (const name of storages) {
  describe(`the room log on ${name}`, () => {
    let opened: TestStorage;
    let db: Db;
    before(async () => {
      opened = await openTestStorage(name);
      db = opened.db;
    });
    after(() => opened[Symbol.asyncDispose]());

    // The trap: with a bigserial or identity as cursor, a reader that follows the log misses rows.
    it('gives 8 writers seq and number without a gap, and no reader sees n + 1 before n', async () => {
      const chat = chatOn(db);
      const rooms = await Promise.all(range(1, 3).map(() => createOwnedRoom(chat)));
      const perWriter = 120;
      let writing = true;
      const write = async (writer: number) => {
        for (const i of range(1, perWriter)) {
          const { roomId, userId } = rooms[(writer + i) % rooms.length] as (typeof rooms)[number];
          await sendMessage(chat, userId, { roomId, body: `${i} of ${writer}` });
        }
      };
      const tail = async (roomId: string) => {
        const seen: number[] = [];
        let position = floorOf(await getRoom(db, roomId));
        for (let last = false; ; ) {
          const entries = await readLog(opened.storage.feedDb, roomId, position, 50);
          seen.push(...entries.map(({ seq }) => seq));
          position = entries.at(-1) ?? position;
          if (entries.length > 0) continue;
          if (last) return seen;
          last = !writing;
        }
      };
      const tails = rooms.map(({ roomId }) => tail(roomId));
      await Promise.all(range(1, 8).map(write));
      writing = false;
      let written = 0;
      for (const [i, { roomId }] of rooms.entries()) {
        const { headSeq, lastNumber } = await getRoom(db, roomId);
        assert.deepEqual(await tails[i], range(1, headSeq));
        const numbers = await db.selectFrom('messages').select('number').where('roomId', '=', roomId).orderBy('seq').execute();
        assert.deepEqual(
          numbers.map(({ number }) => number),
          range(1, lastNumber),
        );
        written += lastNumber;
      }
      assert.equal(written, 8 * perWriter);
    });

    it('uses up no seq and no number for a write that is rolled back', async () => {
      const chat = chatOn(db);
      const { roomId, userId } = await createOwnedRoom(chat);
      await sendMessage(chat, userId, { roomId, body: 'one', clientMessageId: 'a' });
      await assert.rejects(sendMessage(chat, userId, { roomId, body: 'NUL \0' }));
      await sendMessage(chat, userId, { roomId, body: 'one', clientMessageId: 'a' });
      const { message } = await sendMessage(chat, userId, { roomId, body: 'two' });
      assert.deepEqual([message.seq, message.number], [2, 2]);
    });

    it('reads the entries after a position in pages, and none after the head', async () => {
      const { roomId } = await createOwnedRoom(chatOn(db));
      const head = await fillRoom(db, roomId, 25);
      const first = await readLog(db, roomId, floorOf(await getRoom(db, roomId)), 10);
      const second = await readLog(db, roomId, first.at(-1) as Position, 100);
      assert.deepEqual(
        [...first, ...second].map(({ seq }) => seq),
        range(1, 25),
      );
      assert.equal(first.length, 10);
      assert.deepEqual(await readLog(db, roomId, head, 10), []);
    });

    it('reads from the floor of a room without entries', async () => {
      const { roomId } = await createOwnedRoom(chatOn(db));
      assert.deepEqual(await readAll(db, roomId), []);
    });

    it('refuses a position that it does not hold: after the head, before the floor, or with another tag', async () => {
      const { roomId } = await createOwnedRoom(chatOn(db));
      const head = await fillRoom(db, roomId, 5);
      const [second, third] = (await readAll(db, roomId)).slice(1);
      assert.ok(second && third);
      await db.deleteFrom('roomLog').where('roomId', '=', roomId).where('seq', '<=', 3).execute();
      await db.updateTable('rooms').set({ floorSeq: 3, floorTag: third.tag }).where('id', '=', roomId).execute();

      const seqs = async (position: Position) => (await readLog(db, roomId, position, 10)).map(({ seq }) => seq);
      assert.deepEqual(await seqs(third), [4, 5]);
      const refused: Position[] = [
        second,
        { seq: 0, tag: second.tag },
        { ...third, tag: third.tag + 1 },
        { ...head, tag: head.tag + 1 },
        { ...head, seq: 6 },
        { seq: 2 ** 53 - 1, tag: 0 },
      ];
      for (const position of refused) await assert.rejects(readLog(db, roomId, position, 10), isExpired, JSON.stringify(position));
    });

    it('is NOT_FOUND, and not empty, for a room that does not exist', async () => {
      await assert.rejects(
        readLog(db, 'room_00000000000000000000000000', { seq: 0, tag: 0 }, 1),
        ({ code }: GaplessError) => code === 'NOT_FOUND',
      );
    });

    // The trap: int8 and count(*) are numbers on PGlite and strings on pg.
    it('gives int8 and count(*) as numbers', async () => {
      const { roomId } = await createOwnedRoom(chatOn(db));
      await fillRoom(db, roomId, 2);
      await db
        .updateTable('rooms')
        .set({ floorNumber: 2 ** 40 })
        .where('id', '=', roomId)
        .execute();
      const room = await getRoom(db, roomId);
      const { count } = await db
        .selectFrom('roomLog')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('roomId', '=', roomId)
        .executeTakeFirstOrThrow();
      assert.deepStrictEqual([room.headSeq, room.lastNumber, room.floorNumber, count], [2, 2, 2 ** 40, 2]);
    });

    // The trap: the outer handle inside a transaction deadlocks on PGlite, which has one connection.
    it('lets reads outside a transaction complete after it', async () => {
      const { roomId } = await createOwnedRoom(chatOn(db));
      const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
      const transaction = db.transaction().execute(async (trx) => {
        await trx.updateTable('rooms').set({ name: 'Changed' }).where('id', '=', roomId).execute();
        await mayEnd;
      });
      const reads = Promise.all(range(1, 20).map(() => getRoom(db, roomId)));
      end();
      await transaction;
      assert.equal((await reads).length, 20);
      assert.equal((await getRoom(db, roomId)).name, 'Changed');
    });
  });
}

describe('cursors', () => {
  const position: Position = { seq: 7, tag: -5 };

  it('encode a position, and decode to it', () => {
    assert.deepEqual(decodeCursor('room_a', encodeCursor('room_a', position)), position);
    assert.deepEqual(headOf({ headSeq: 7, headTag: -5 }), position);
  });

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const junk: Record<string, string> = {
    'an empty string': '',
    'not base64': '💥 {',
    'not JSON': Buffer.from('not json{').toString('base64url'),
    'of another room': encodeCursor('room_b', position),
    'of another version': encode(['2', 'room_a', 7, -5]),
    'of the wrong length': encode(['1', 'room_a', 7]),
    'an object': encode({ 0: '1', 1: 'room_a', 2: 7, 3: 5, length: 4 }),
    'with a negative seq': encode(['1', 'room_a', -1, -5]),
    'with a seq beyond 2^53': encode(['1', 'room_a', 2 ** 53, -5]),
    'with a fractional seq': encode(['1', 'room_a', 1.5, -5]),
    'with a string as seq': encode(['1', 'room_a', '7', -5]),
    'with a tag beyond 32 bits': encode(['1', 'room_a', 7, 2 ** 33]),
    'without a tag': encode(['1', 'room_a', 7, null]),
  };
  for (const [what, cursor] of Object.entries(junk)) {
    it(`are CURSOR_INVALID if they are ${what}`, () => {
      assert.throws(
        () => decodeCursor('room_a', cursor),
        ({ code }: GaplessError) => code === 'CURSOR_INVALID',
      );
    });
  }
});
