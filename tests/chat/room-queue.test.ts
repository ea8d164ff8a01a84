// Changes that wait for a room. Adjacent sends are written together, and each has its own outcome.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { joinRoom, removeMember } from '../../src/chat/members.ts';
import { type Sending, sendMessage } from '../../src/chat/messages.ts';
import type { GaplessError } from '../../src/errors.ts';
import { createGuest } from '../../src/storage/users.ts';
import { Lock } from '../support/lock.ts';
import { until } from '../support/process.ts';
import { chatOn, createOwnedRoom, openTestStorage, range, readAll, type TestStorage } from '../support/storage.ts';

describe('a change that waits for a room', () => {
  let opened: TestStorage;
  let url: string;
  let chat: Chat;
  let roomId: string;
  let ada: string;
  let bob: string;
  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    url = (opened.config as { databaseUrl: string }).databaseUrl;
  });
  after(() => opened[Symbol.asyncDispose]());
  beforeEach(async () => {
    chat = chatOn(opened.db);
    ({ roomId, userId: ada } = await createOwnedRoom(chat));
    bob = (await createGuest(opened.db, 'Bob')).id;
  });

  const send = (senderId: string, body: string, clientMessageId?: string, room = roomId) =>
    sendMessage(chat, senderId, { roomId: room, body, clientMessageId });

  /** The outcomes of `changes` that all arrive while another transaction locks the room's row and a first send waits for it. */
  async function whileLocked<Result>(changes: () => Promise<Result>[]): Promise<PromiseSettledResult<Result>[]> {
    await using lock = await Lock.take(url, 'select 1 from rooms where id = $1 for update', [roomId]);
    const first = send(ada, 'first');
    await until('the first waits for the row', async () => (await lock.waiting()) > 0);
    const outcomes = Promise.allSettled(changes());
    await lock.release();
    await first;
    return outcomes;
  }

  const codes = (outcomes: PromiseSettledResult<unknown>[]) =>
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'done' : ((outcome.reason as GaplessError).code ?? 'failed')));
  const stored = () => opened.db.selectFrom('messages').selectAll().where('roomId', '=', roomId).orderBy('seq').execute();
  const transactions = async () => {
    const { rows } = await sql<{ count: number }>`select count(distinct xmin::text) from messages where room_id = ${roomId}`.execute(
      opened.db,
    );
    return rows[0]?.count;
  };

  it('is written in one transaction with the others, numbered in the order of arrival', async () => {
    const outcomes = await whileLocked(() => range(1, 100).map((i) => send(ada, `message ${i}`, `key ${i}`)));
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value.message.number),
      range(2, 101),
    );
    assert.deepEqual(
      (await stored()).map(({ number, seq, body }) => [number, seq, body]),
      ['first', ...range(1, 100).map((i) => `message ${i}`)].map((body, index) => [index + 1, index + 1, body]),
    );
    assert.equal(await transactions(), 2);
    const log = await readAll(opened.db, roomId);
    assert.deepEqual(
      log.map((entry) => [entry.seq, entry.tag, 'messageId' in entry && entry.messageId]),
      (await stored()).map(({ seq, tag, id }) => [seq, tag, id]),
    );
  });

  it('has its own outcome: refused, deduplicated, in conflict, or written', async () => {
    const { message: sent } = await send(ada, 'sent before', 'old key');
    const outcomes = await whileLocked(() => [
      send(ada, 'one'),
      send(bob, 'from outside'),
      send(ada, 'sent before', 'old key'),
      send(ada, 'another', 'old key'),
      send(ada, 'two', 'new key'),
      send(ada, 'two', 'new key'),
      send(ada, 'three', 'new key'),
      send(ada, 'four'),
    ]);
    assert.deepEqual(codes(outcomes), ['done', 'FORBIDDEN', 'done', 'CONFLICT', 'done', 'done', 'CONFLICT', 'done']);
    const results = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined));
    assert.deepEqual(
      results.map((result) => result?.deduplicated),
      [false, undefined, true, undefined, false, true, undefined, false],
    );
    assert.deepEqual(results[2]?.message, sent);
    assert.equal(results[5]?.message.id, results[4]?.message.id);
    assert.deepEqual(
      (await stored()).map(({ number, body }) => [number, body]),
      ['sent before', 'first', 'one', 'two', 'four'].map((body, index) => [index + 1, body]),
    );
  });

  it('fails alone if the database rejects its data', async () => {
    // The schema rejects such a body. PostgreSQL fails the whole statement because of it.
    const outcomes = await whileLocked(() => [send(ada, 'one'), send(ada, 'not \0 text'), send(ada, 'two')]);
    assert.deepEqual(
      codes(outcomes).map((code) => code === 'done'),
      [true, false, true],
    );
    assert.deepEqual(
      (await stored()).map(({ number, body }) => [number, body]),
      [
        [1, 'first'],
        [2, 'one'],
        [3, 'two'],
      ],
    );
  });

  it('keeps its place among changes of other kinds', async () => {
    await joinRoom(chat, bob, roomId);
    const outcomes = await whileLocked<unknown>(() => {
      const before = [send(bob, 'in time'), removeMember(chat, ada, roomId, bob)];
      // The removal waits in the lane once its check has read, and this read is a part of the same query.
      const isWaiting = chat.rows.standing(ada, roomId);
      return [...before, isWaiting.then(() => send(bob, 'too late'))];
    });
    assert.deepEqual(codes(outcomes), ['done', 'done', 'FORBIDDEN']);
    assert.deepEqual(
      (await readAll(opened.db, roomId)).map(({ type }) => type),
      ['MemberJoined', 'MessageAdded', 'MessageAdded', 'MessageAdded', 'MessageAdded', 'MemberLeft'],
    );
  });

  it('is refused at once if too many are waiting', async () => {
    const members = await Promise.all(range(1, 8).map(async (i) => (await createGuest(opened.db, `Member ${i}`)).id));
    for (const member of members) await joinRoom(chat, member, roomId);
    const outcomes = await whileLocked(() => range(1, 1010).map((i) => send(members[i % 8] as string, `message ${i}`)));
    assert.deepEqual(codes(outcomes), [...range(1, 1000).map(() => 'done'), ...range(1, 10).map(() => 'UNAVAILABLE')]);
  });

  it('is RATE_LIMITED at once if its user has 200 under way', async () => {
    const outcomes = await whileLocked(() => range(1, 210).map((i) => send(ada, `message ${i}`)));
    // The first one, which holds the lane, is one of them.
    assert.deepEqual(codes(outcomes), [...range(1, 199).map(() => 'done'), ...range(1, 11).map(() => 'RATE_LIMITED')]);
  });

  it('does not deadlock with another node that writes the same keys to another room', async () => {
    const { roomId: other } = await createOwnedRoom(chat);
    await joinRoom(chat, ada, other);
    const elsewhere = chatOn(opened.db);
    for (const round of range(1, 30)) {
      const keys = range(1, 20).map((i) => `round ${round} key ${i}`);
      const sendAll = (via: Chat, sendings: Sending[]) => Promise.allSettled(sendings.map((sending) => sendMessage(via, ada, sending)));
      const [here, there] = await Promise.all([
        sendAll(
          chat,
          keys.map((clientMessageId) => ({ roomId, body: 'hello', clientMessageId })),
        ),
        sendAll(
          elsewhere,
          keys.toReversed().map((clientMessageId) => ({ roomId: other, body: 'hello', clientMessageId })),
        ),
      ]);
      const [ours, theirs] = [codes(here), codes(there).toReversed()];
      for (const [index, code] of ours.entries()) assert.deepEqual([code, theirs[index]].sort(), ['CONFLICT', 'done']);
    }
  });
});
