// Read markers: they move forward, whatever order several devices and nodes move them in, and cost little.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { updateMembership, updateViewer } from '../../src/chat/account.ts';
import { type Chat, openChat } from '../../src/chat/chat.ts';
import { markAllRead, markRoomRead, markRoomUnread } from '../../src/chat/markers.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import { readChanges } from '../../src/storage/changes.ts';
import { messageCursor } from '../../src/storage/messages.ts';
import type { Db, MembershipRow, MessageRow } from '../../src/storage/tables.ts';
import { findUnreadCounts } from '../../src/storage/unread.ts';
import { createGuest } from '../../src/storage/users.ts';
import { Lock } from '../support/lock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { chooseSeed, randomFrom, shuffle } from '../support/random.ts';
import { storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, getRoom, observeStatements, openTestStorage, range, type TestStorage } from '../support/storage.ts';

/** A room with `count` messages of its owner, and members who have read none of them. */
async function roomWith(chat: Chat, count: number, members = 1) {
  const readers: string[] = [];
  for (const i of range(1, members)) readers.push((await createGuest(chat.db, `Reader ${i}`)).id);
  const { roomId, userId } = await createOwnedRoom(chat, 'OPEN', readers);
  const messages: MessageRow[] = [];
  for (const i of range(1, count)) {
    messages.push((await sendMessage(chat, userId, { roomId, body: `message ${i}`, marksRead: false })).message);
  }
  // What senders have read is noted in the background.
  await chat.senderMarkers.flush();
  const read = (node: Chat, reader: string, number: number, readVersion?: number) =>
    markRoomRead(node, reader, roomId, messageCursor(messages[number - 1] as MessageRow), readVersion);
  return { roomId, userId, readers, reader: readers[0] as string, messages, read };
}

const membershipOf = (db: Db, roomId: string, userId: string) =>
  db.selectFrom('memberships').selectAll().where('roomId', '=', roomId).where('userId', '=', userId).executeTakeFirstOrThrow();
const through = ({ readNumber }: MembershipRow) => readNumber;

for (const storage of storages) {
  describe(`a read marker on ${storage}`, () => {
    let opened: TestStorage;
    let db: Db;
    let chat: Chat;
    before(async () => {
      opened = await openTestStorage(storage);
      ({ db } = opened);
      chat = chatOn(db);
    });
    after(() => opened[Symbol.asyncDispose]());

    it('ends at the highest place to which two nodes moved it at the same time', async () => {
      const random = randomFrom(chooseSeed(`a read marker on ${storage}`));
      const nodes = [chat, chatOn(db)] as const;
      const { reader, roomId, read } = await roomWith(chat, 40);
      const answers = await Promise.all(
        shuffle(range(1, 40), random).map(async (number, i) => {
          const membership = await read(nodes[i % 2] as Chat, reader, number);
          assert.ok(through(membership) >= number, 'an answer is never before the place that was asked for');
          return membership;
        }),
      );
      assert.equal(Math.max(...answers.map(through)), 40);
      const { readNumber, readTalk, seenNumber } = await membershipOf(db, roomId, reader);
      assert.deepEqual([readNumber, readTalk, seenNumber], [40, 40, 40]);
    });

    it('is moved by the requests of one member in their order, also if they wait together', async () => {
      const { reader, messages, read } = await roomWith(chat, 6);
      const unread = (number: number) => markRoomUnread(chat, reader, (messages[number - 1] as MessageRow).id);
      const answers = await Promise.all([read(chat, reader, 1), read(chat, reader, 5), read(chat, reader, 3)]);
      assert.deepEqual(answers.map(through), [1, 5, 5]);
      assert.deepEqual(through(await unread(2)), 1);
      assert.deepEqual(
        (await Promise.all([read(chat, reader, 4, 0), read(chat, reader, 3, 1), read(chat, reader, 6, 0)])).map(through),
        [1, 3, 3],
      );
      assert.equal(through(await unread(5)), 4, 'a message after the marker: what is before it is read');
    });

    it('that would not move is not written, and leaves no note', async () => {
      const { reader, roomId, read } = await roomWith(chat, 3);
      await read(chat, reader, 2);
      const before = await membershipOf(db, roomId, reader);
      const { moment } = await readChanges(db, undefined);
      for (const number of [1, 2]) await read(chat, reader, number);
      await read(chat, reader, 3, -1);
      await updateMembership(chat, reader, roomId, { notificationLevel: 'ALL', mutedUntil: null });
      assert.deepEqual(await membershipOf(db, roomId, reader), before);
      assert.deepEqual((await readChanges(db, moment)).memberships, []);
    });

    it('that moves is noted, and wakes the nodes', async () => {
      const bus = new MemoryBus();
      const clock = new ManualClock();
      let wakes = 0;
      bus.onWake('changes', () => (wakes += 1));
      const node = openChat(db, bus, clock);
      const { reader, roomId, messages, read } = await roomWith(chat, 3);
      const changes: Record<string, () => Promise<unknown>> = {
        markRoomRead: () => read(node, reader, 2),
        markRoomUnread: () => markRoomUnread(node, reader, (messages[0] as MessageRow).id),
        markAllRead: () => markAllRead(node, reader),
        updateMembership: () => updateMembership(node, reader, roomId, { notificationLevel: 'NONE' }),
        'a message': async () => {
          await sendMessage(node, reader, { roomId, body: 'hello' });
          await node.senderMarkers.flush();
        },
      };
      for (const [what, change] of Object.entries(changes)) {
        const { moment } = await readChanges(db, undefined);
        const woken = wakes;
        await change();
        assert.deepEqual((await readChanges(db, moment)).memberships, [{ roomId, userId: reader }], what);
        await clock.advance(50);
        await until('the nodes are woken', () => wakes > woken);
      }
      const { moment } = await readChanges(db, undefined);
      await updateViewer(node, reader, { sharesReceipts: false });
      assert.deepEqual((await readChanges(db, moment)).users, [reader]);
    });

    it('is at the head for a member whom a node of the previous version adds', async () => {
      const { roomId } = await roomWith(chat, 3);
      const { id } = await createGuest(db, 'Old');
      await sql`insert into memberships (id, room_id, user_id, role) values ('old', ${roomId}, ${id}, 'MEMBER')`.execute(db);
      const { headSeq, headTag } = await getRoom(db, roomId);
      const { readSeq, readTag, readNumber, readTalk, seenNumber } = await membershipOf(db, roomId, id);
      assert.deepEqual([readSeq, readTag, readNumber, readTalk, seenNumber], [headSeq, headTag, 3, 3, 3]);
    });
  });
}

describe('the read markers of a node', () => {
  let opened: TestStorage;
  let db: Db;
  let url: string;
  let chat: Chat;
  before(async () => {
    opened = await openTestStorage('PostgreSQL');
    ({ db } = opened);
    url = (opened.config as { databaseUrl: string }).databaseUrl;
    chat = chatOn(db);
  });
  after(() => opened[Symbol.asyncDispose]());

  it('that wait are written by one statement', async () => {
    const { readers, read } = await roomWith(chat, 1, 60);
    let statements = 0;
    const node = chatOn(observeStatements(db, () => (statements += 1)));
    await Promise.all(readers.map((reader) => read(node, reader, 1)));
    // The first one runs alone. The others wait meanwhile.
    assert.equal(statements, 2);
  });

  it('do not wait for one that another transaction holds, which is moved after that', async () => {
    const { roomId, readers, read } = await roomWith(chat, 2, 5);
    const [held, ...others] = readers as [string, ...string[]];
    await using lock = await Lock.take(url, 'select from memberships where room_id = $1 and user_id = $2 for update', [roomId, held]);
    const waiting = read(chat, held, 2);
    await Promise.all(others.map((reader) => read(chat, reader, 2)));
    await until('one waits for its membership', async () => (await lock.waiting()) > 0);
    await lock.release();
    assert.equal(through(await waiting), 2);
  });

  it('are not moved back by a move that has waited while another node moved them further', async () => {
    const { roomId, reader, messages, read } = await roomWith(chat, 4);
    const { seq, tag } = messages[3] as MessageRow;
    const further = `update memberships set read_seq = $3, read_tag = $4, read_number = 4, read_talk = 4, seen_number = 4
      where room_id = $1 and user_id = $2`;
    await using lock = await Lock.take(url, further, [roomId, reader, seq, tag]);
    const waiting = read(chat, reader, 2);
    await until('the move waits for the membership', async () => (await lock.waiting()) > 0);
    await lock.ask('commit');
    assert.equal(through(await waiting), 4);
    assert.equal(through(await membershipOf(db, roomId, reader)), 4);
  });

  it('are moved while the rows of their room and user are locked', async () => {
    const { roomId, reader, read } = await roomWith(chat, 2);
    await using _room = await Lock.take(url, 'select from rooms where id = $1 for update', [roomId]);
    await using _user = await Lock.take(url, 'select from users where id = $1 for update', [reader]);
    assert.equal(through(await read(chat, reader, 2)), 2);
  });

  it('follow many messages of a sender with one write', async () => {
    const { roomId, reader } = await roomWith(chat, 3);
    const clock = new ManualClock();
    const node = openChat(db, new MemoryBus(), clock);
    const version = async () => (await membershipOf(db, roomId, reader)).changedXid;
    const before = await version();
    for (const i of range(1, 5)) await sendMessage(node, reader, { roomId, body: `${i}` });
    assert.equal(await version(), before, 'a send does not wait for the marker');
    await clock.advance(500);
    await until('the marker follows', async () => through(await membershipOf(db, roomId, reader)) === 8);
    const [count] = await findUnreadCounts(db, reader, [roomId]);
    assert.equal(count?.count, 0);
  });

  it('follow a message later if they cannot be written, and the send is answered all the same', async () => {
    const { roomId, reader } = await roomWith(chat, 3);
    const node = openChat(db, new MemoryBus(), new ManualClock());
    const ask = (statement: string) => sql.raw(statement).execute(db);
    await ask(`create function refuse() returns trigger language plpgsql
      as $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$`);
    await ask('create trigger refuse before update on memberships for each row execute function refuse()');
    try {
      await sendMessage(node, reader, { roomId, body: 'mine' });
      await node.senderMarkers.flush();
      assert.equal(through(await membershipOf(db, roomId, reader)), 0);
    } finally {
      await ask('drop function refuse cascade');
    }
    await node.senderMarkers.flush();
    assert.equal(through(await membershipOf(db, roomId, reader)), 4);
  });

  it('of a sender wait for a transaction that holds the membership, and delay no other', async () => {
    const { roomId, readers } = await roomWith(chat, 1, 2);
    const [held, other] = readers as [string, string];
    const node = openChat(db, new MemoryBus(), new ManualClock());
    await using lock = await Lock.take(url, 'select from memberships where room_id = $1 and user_id = $2 for update', [roomId, held]);
    for (const reader of readers) await sendMessage(node, reader, { roomId, body: 'mine' });
    await node.senderMarkers.flush();
    assert.deepEqual([through(await membershipOf(db, roomId, held)), through(await membershipOf(db, roomId, other))], [0, 3]);
    await lock.release();
    await node.senderMarkers.flush();
    assert.equal(through(await membershipOf(db, roomId, held)), 2);
  });
});
