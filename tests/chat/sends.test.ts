// Group commit: sends to different rooms are written together.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KyselyPlugin, sql } from 'kysely';
import { removeMember } from '../../src/chat/members.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import type { GaplessError } from '../../src/errors.ts';
import { DatabaseFailure } from '../../src/storage/failure.ts';
import { createGuest } from '../../src/storage/users.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { chatOn, createOwnedRoom, getRoom, openTestStorage, range, readAll, type TestStorage } from '../support/storage.ts';

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

  it('fail together, after one statement, if the failure does not concern the data of one send', async () => {
    let statements = 0;
    const counting: KyselyPlugin = {
      transformQuery({ node }) {
        statements += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    const chat = chatOn(opened.db);
    const { roomId, userId } = await createOwnedRoom(chat);
    const counted = chatOn(opened.db.withPlugin(counting));
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
