// Group commit: sends to different rooms are written together.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { joinRoom, removeMember } from '../../src/chat/members.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import type { GaplessError } from '../../src/errors.ts';
import { openStorage } from '../../src/storage/database.ts';
import { DatabaseFailure } from '../../src/storage/failure.ts';
import { createGuest } from '../../src/storage/users.ts';
import { setDefault } from '../support/commits.ts';
import { Lock } from '../support/lock.ts';
import { createDatabase } from '../support/postgres.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';
import {
  chatOn,
  createOwnedRoom,
  getRoom,
  observeStatements,
  openTestStorage,
  range,
  readAll,
  type TestStorage,
} from '../support/storage.ts';

describe('sends to many rooms', () => {
  let opened: TestStorage;
  let url: string;
  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    url = (opened.config as { databaseUrl: string }).databaseUrl;
  });
  after(() => opened[Symbol.asyncDispose]());

  it('that wait during a statement are written by the next one, numbered per room in the order of arrival', async () => {
    const chat = chatOn(opened.db);
    const rooms = await Promise.all(range(1, 10).map(() => createOwnedRoom(chat)));
    const sent = await Promise.all(
      range(0, 99).map((i) => {
        const { roomId, userId } = rooms[i % rooms.length] as (typeof rooms)[0];
        return sendMessage(chat, userId, { roomId, body: `message ${i}`, clientMessageId: `key ${i}` });
      }),
    );
    assert.deepEqual(
      sent.map(({ message }) => [message.number, message.seq, message.body]),
      range(0, 99).map((i) => [Math.floor(i / 10) + 1, Math.floor(i / 10) + 1, `message ${i}`]),
    );
    for (const { roomId } of rooms) {
      const log = await readAll(opened.db, roomId);
      const ofRoom = sent.filter(({ message }) => message.roomId === roomId).map(({ message }) => message);
      assert.deepEqual(
        log.map((entry) => [entry.seq, entry.tag, 'messageId' in entry && entry.messageId]),
        ofRoom.map(({ seq, tag, id }) => [seq, tag, id]),
      );
      const { headSeq, headTag, lastNumber, lastActiveAt } = await getRoom(opened.db, roomId);
      const last = ofRoom.at(-1);
      assert.deepEqual([headSeq, headTag, lastNumber, lastActiveAt], [last?.seq, last?.tag, last?.number, last?.createdAt]);
    }
    const { rows } = await sql<{ count: number }>`
      select count(distinct xmin::text) from messages where room_id = any(${rooms.map(({ roomId }) => roomId)})`.execute(opened.db);
    assert.equal(rows[0]?.count, 2);
  });

  it('of one user do not delay those of others: users take turns, and one may have 200 under way', async () => {
    const chat = chatOn(opened.db);
    const bob = (await createGuest(opened.db, 'Bob')).id;
    const { roomId, userId: ada } = await createOwnedRoom(chat, 'OPEN', [bob]);
    const flood = Promise.allSettled(range(1, 9900).map((i) => sendMessage(chat, ada, { roomId, body: `flood ${i}` })));
    const { message } = await sendMessage(chat, bob, { roomId, body: 'hello' });
    assert.equal(message.number, 3, 'only the send that ran and one more are before it');
    const outcomes = await flood;
    const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.message.body] : []));
    assert.deepEqual(
      done,
      range(1, 200).map((i) => `flood ${i}`),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal((outcome.reason as GaplessError).code, 'RATE_LIMITED');
    const { rows } = await sql<{ body: string }>`
      select body from messages where room_id = ${roomId} and sender_id = ${ada} and kind = 'TALK' order by seq`.execute(opened.db);
    assert.deepEqual(
      rows.map(({ body }) => body),
      done,
    );
  });

  it('fail together, after one statement, if the failure does not concern the data of one send', async () => {
    let statements = 0;
    const chat = chatOn(opened.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    const counted = chatOn(observeStatements(opened.db, () => (statements += 1)));
    const ask = (statement: string) => sql.raw(statement).execute(opened.db);
    await ask(`create function refuse() returns trigger language plpgsql
      as $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$`);
    await ask('create trigger refuse before insert on messages execute function refuse()');
    try {
      const outcomes = await Promise.allSettled(range(1, 50).map((i) => sendMessage(counted, userId, { roomId, body: `message ${i}` })));
      for (const outcome of outcomes) {
        assert.ok(outcome.status === 'rejected' && outcome.reason instanceof DatabaseFailure && outcome.reason.code === '53100');
      }
      // The first send runs alone. The others wait meanwhile and are the second statement.
      assert.equal(statements, 2);
    } finally {
      await ask('drop function refuse cascade');
    }
  });

  it('do not wait for a locked room, whose sends are written after it is unlocked', async () => {
    const chat = chatOn(opened.db);
    const [locked, ...others] = await Promise.all(range(1, 6).map(() => createOwnedRoom(chat)));
    assert.ok(locked);
    await using lock = await Lock.take(url, 'select 1 from rooms where id = $1 for update', [locked.roomId]);
    const waiting = range(1, 3).map((i) => sendMessage(chat, locked.userId, { roomId: locked.roomId, body: `waiting ${i}` }));
    let isSettled = false;
    void Promise.allSettled(waiting).then(() => (isSettled = true));
    for (const round of range(1, 5)) {
      await Promise.all(others.map(({ roomId, userId }) => sendMessage(chat, userId, { roomId, body: `round ${round}` })));
    }
    assert.equal(isSettled, false, 'the others were written while these wait');
    await until('a send waits for the row', async () => (await lock.waiting()) > 0);
    await lock.release();
    const numbers = (await Promise.all(waiting)).map(({ message }) => message.number);
    assert.deepEqual(numbers, [1, 2, 3]);
  });

  // The opposite order of locks: the deletion holds the user and wants the room, the batch holds the room and wants the user.
  it('do not wait for a sender whose row is being deleted, and do not deadlock with the deletion', async () => {
    const chat = chatOn(opened.db);
    const { roomId } = await createOwnedRoom(chat);
    const other = await createOwnedRoom(chat);
    const { id: goneId } = await createGuest(opened.db, 'Gone');
    await joinRoom(chat, goneId, roomId);
    await using lock = await Lock.take(url, 'select from users where id = $1 for update', [goneId]);
    const began = performance.now();
    const sends = [
      sendMessage(chat, other.userId, { roomId: other.roomId, body: 'first, alone' }),
      sendMessage(chat, goneId, { roomId, body: 'waits' }),
      sendMessage(chat, other.userId, { roomId: other.roomId, body: 'second' }),
    ] as const;
    await Promise.all([sends[0], sends[2]]);
    await sendMessage(chat, other.userId, { roomId: other.roomId, body: 'third' });
    assert.ok(performance.now() - began < 1500, 'the others waited');
    await until('the send waits for its sender', async () => (await lock.waiting()) > 0);
    // The send that waits does not hold the room.
    await sql`select from rooms where id = ${roomId} for update nowait`.execute(opened.db);
    await lock.release();
    assert.equal((await sends[1]).message.body, 'waits');
  });

  it('whose data the database rejects are not UNAVAILABLE, because a retry would fail again', async () => {
    const chat = chatOn(opened.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    await sql`alter table messages add constraint no_x check (body <> 'x')`.execute(opened.db);
    try {
      const outcomes = await Promise.allSettled(['a', 'x', 'b'].map((body) => sendMessage(chat, userId, { roomId, body })));
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      const { reason } = outcomes[1] as PromiseRejectedResult;
      assert.ok(!(reason instanceof DatabaseFailure) && /rejected the data of a send/.test(reason.message));
    } finally {
      await sql`alter table messages drop constraint no_x`.execute(opened.db);
    }
  });

  it('are all written if the default isolation of the database is repeatable read', { timeout: 60_000 }, async () => {
    await using database = await createDatabase();
    await setDefault(database.url, 'default_transaction_isolation', "'repeatable read'");
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 4 }, silentLog);
    const chats = range(1, 4).map(() => chatOn(storage.db));
    const { roomId, userId } = await createOwnedRoom(chats[0] as Chat);
    const writing = chats.map(async (chat) => {
      for (const i of range(1, 40)) await sendMessage(chat, userId, { roomId, body: `${i}` });
    });
    await Promise.all(writing);
    assert.equal((await getRoom(storage.db, roomId)).lastNumber, 160);
  });

  it('are refused for a member who was just removed', { timeout: 60_000 }, async () => {
    const [here, there] = [chatOn(opened.db), chatOn(opened.db)];
    for (const _ of range(1, 40)) {
      const bob = (await createGuest(opened.db, 'Bob')).id;
      const { roomId, userId } = await createOwnedRoom(here, 'PRIVATE', [bob]);
      let refused: string | undefined;
      const sendOn = async () => {
        while (!refused) {
          await sendMessage(here, bob, { roomId, body: 'still here' }).catch(({ code }: GaplessError) => (refused = code));
        }
      };
      const sending = sendOn();
      await removeMember(there, userId, roomId, bob);
      await sending;
      assert.equal(refused, 'NOT_FOUND');
      const { rows } = await sql<{ count: number }>`
        select count(*) from messages
        where room_id = ${roomId} and sender_id = ${bob} and kind = 'TALK'
          and seq > (select seq from room_log where room_id = ${roomId} and type = 'MemberLeft')`.execute(opened.db);
      assert.equal(rows[0]?.count, 0);
    }
  });
});
