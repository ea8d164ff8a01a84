// Unread counts agree with their oracle after each step, whatever two users do on two devices and two nodes.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { type RawBuilder, sql } from 'kysely';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { updateMembership } from '../../src/chat/account.ts';
import { type Chat, openChat } from '../../src/chat/chat.ts';
import { markAllRead, markRoomRead, markRoomUnread } from '../../src/chat/markers.ts';
import { joinRoom, leaveRoom } from '../../src/chat/members.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/chat/messages.ts';
import { Retention } from '../../src/chat/retention.ts';
import { createRoom } from '../../src/chat/rooms.ts';
import type { GaplessError } from '../../src/errors.ts';
import { decodeCursor, encodeCursor, type Position } from '../../src/storage/cursor.ts';
import { moveMarkers } from '../../src/storage/markers.ts';
import { listRooms } from '../../src/storage/rooms.ts';
import type { Db, MembershipRow } from '../../src/storage/tables.ts';
import { findUnreadCounts, readUnreadTotals, type UnreadCount } from '../../src/storage/unread.ts';
import { createGuest } from '../../src/storage/users.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { chooseSeed } from '../support/random.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, getRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';
import { type Marker, RoomOracle, type Said } from '../support/unread-oracle.ts';

const dayMs = 86_400_000;
const longAgo = new Date(Date.now() - 10 * dayMs);

const commands = [
  ...['send', 'send', 'send', 'sendQuietly', 'sendQuietly', 'read', 'read', 'readKnowing', 'unread', 'flush', 'edit'],
  ...['deleteOwn', 'deleteAsOwner', 'leaveOrJoin', 'leaveOrJoin', 'retain', 'readAll', 'mute'],
] as const;

interface Command {
  readonly what: (typeof commands)[number];
  readonly room: number;
  readonly user: number;
  /** The node, and the device of the user. */
  readonly node: number;
  readonly n: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  what: fc.constantFrom(...commands),
  room: fc.nat(1),
  user: fc.nat(2),
  node: fc.nat(1),
  n: fc.nat(1000),
});

/** What is compared with the oracle. The controls replace a part of it. */
interface Subject {
  readonly counts: (db: Db, userId: string, roomIds: readonly string[]) => Promise<UnreadCount[]>;
  readonly read: typeof markRoomRead;
}

const subject: Subject = { counts: findUnreadCounts, read: markRoomRead };

/** Two rooms with one owner, and two users who come and go. */
class World {
  readonly #db: Db;
  readonly #subject: Subject;
  readonly #nodes: readonly Chat[];
  readonly #users: readonly string[];
  readonly #rooms: readonly RoomOracle[];
  /** Positions that clients know, of each room, and the newest number up to each. */
  readonly #known = new Map<RoomOracle, { position: Position; through: number }[]>();
  /** `readVersion` as the devices know it: the last answer. */
  readonly #versions = new Map<string, number>();
  /** Markers that follow a message, on each node. */
  readonly #raises: { room: RoomOracle; userId: string; through: number; version: number }[][] = [[], []];

  private constructor(db: Db, subject: Subject, users: readonly string[], roomIds: readonly string[]) {
    this.#db = db;
    this.#subject = subject;
    this.#users = users;
    this.#rooms = roomIds.map((id) => new RoomOracle(id, users[0] as string));
    // Nothing happens by itself.
    this.#nodes = [0, 1].map(() => openChat(db, new MemoryBus(), new ManualClock()));
  }

  static async create(db: Db, subject: Subject): Promise<World> {
    const chat = openChat(db, new MemoryBus(), new ManualClock());
    const users: string[] = [];
    for (const name of ['Olga', 'Ada', 'Bob']) users.push((await createGuest(db, name)).id);
    const rooms: string[] = [];
    for (const name of ['One', 'Two']) rooms.push((await createRoom(chat, users[0] as string, { kind: 'OPEN', name, memberIds: [] })).id);
    const world = new World(db, subject, users, rooms);
    for (const room of world.#rooms) await world.#learn(room);
    return world;
  }

  async run(steps: readonly Command[]): Promise<void> {
    for (const step of steps) {
      await this.#take(step);
      await this.#compare();
    }
  }

  async #take({ what, room: r, user, node, n }: Command): Promise<void> {
    const room = this.#rooms[r] as RoomOracle;
    const userId = this.#users[user] as string;
    const chat = this.#nodes[node] as Chat;
    const marker = room.members.get(userId);
    const message = room.messages[n % Math.max(1, room.messages.length)];
    switch (what) {
      case 'send':
      case 'sendQuietly': {
        const marksRead = what === 'send';
        const send = sendMessage(chat, userId, { roomId: room.roomId, body: 'hello', marksRead });
        if (!marker) return refused(send, 'FORBIDDEN');
        const { number } = room.say(userId, true, (await send).message.id);
        if (marksRead) this.#raises[node]?.push({ room, userId, through: number, version: marker.version });
        break;
      }
      case 'flush':
        await chat.senderMarkers.flush();
        for (const raise of this.#raises[node]?.splice(0) ?? []) raise.room.read(raise.userId, raise.through, raise.version);
        break;
      case 'read':
      case 'readKnowing': {
        const known = this.#known.get(room) as { position: Position; through: number }[];
        const { position, through } = known[n % known.length] as (typeof known)[number];
        const device = `${userId} ${node} ${room.roomId}`;
        const version = what === 'read' ? undefined : this.#versions.get(device);
        const { floorSeq } = await getRoom(this.#db, room.roomId);
        const reading = this.#subject.read(chat, userId, room.roomId, encodeCursor(room.roomId, position), version);
        if (!marker) return refused(reading, 'NOT_FOUND');
        if (position.seq < floorSeq) return refused(reading, 'CURSOR_EXPIRED');
        room.read(userId, through, version);
        this.#versions.set(device, this.#check(await reading, marker));
        return;
      }
      case 'unread': {
        if (!message) return;
        const marking = markRoomUnread(chat, userId, await this.#idOf(room, message));
        if (!marker || message.number <= room.floor) return refused(marking, 'NOT_FOUND');
        room.markUnread(userId, message);
        this.#versions.set(`${userId} ${node} ${room.roomId}`, this.#check(await marking, marker));
        return;
      }
      case 'readAll':
        await markAllRead(chat, userId);
        for (const each of this.#rooms) each.read(userId, each.lastNumber);
        return;
      case 'mute': {
        const mutedUntil = [null, new Date(Date.now() + dayMs), longAgo][n % 3] ?? null;
        const muting = updateMembership(chat, userId, room.roomId, { mutedUntil });
        if (!marker) return refused(muting, 'NOT_FOUND');
        await muting;
        marker.isMuted = mutedUntil !== null && mutedUntil > new Date();
        return;
      }
      case 'edit':
        if (!message?.isTalk || message.isDeleted || message.number <= room.floor || !room.members.has(message.senderId)) return;
        await editMessage(chat, message.senderId, message.id, `edit ${n}`);
        break;
      case 'deleteOwn':
        if (!message?.isTalk || message.number <= room.floor) return;
        await deleteMessage(chat, message.senderId, message.id);
        message.isDeleted = true;
        break;
      case 'deleteAsOwner':
        if (!message || message.number <= room.floor) return;
        await deleteMessage(chat, this.#users[0] as string, await this.#idOf(room, message));
        message.isDeleted = true;
        break;
      case 'leaveOrJoin':
        // The owner stays.
        if (user === 0) return;
        if (marker) {
          await leaveRoom(chat, userId, room.roomId);
          room.leave(userId);
        } else {
          await joinRoom(chat, userId, room.roomId);
          room.join(userId);
        }
        break;
      case 'retain':
        await this.#retain(room, chat, n % 10);
        break;
    }
    await this.#learn(room);
  }

  async #idOf({ roomId }: RoomOracle, { number }: Said): Promise<string> {
    const row = await this.#db
      .selectFrom('messages')
      .select('id')
      .where('roomId', '=', roomId)
      .where('number', '=', number)
      .executeTakeFirst();
    return row?.id ?? 'message_';
  }

  /** Removes the oldest entries. */
  async #retain(room: RoomOracle, chat: Chat, count: number): Promise<void> {
    const { floorSeq } = await getRoom(this.#db, room.roomId);
    const { roomId } = room;
    await sql`update room_log set at = ${longAgo} where room_id = ${roomId} and seq <= ${floorSeq + count}`.execute(this.#db);
    await sql`update rooms set oldest_at = ${longAgo} where id = ${roomId} and oldest_at is not null`.execute(this.#db);
    await using retention = new Retention(chat, 3, silentLog, new ManualClock());
    await retention.clean();
    room.floor = (await getRoom(this.#db, roomId)).floorNumber;
  }

  async #learn(room: RoomOracle): Promise<void> {
    const { headSeq: seq, headTag: tag } = await getRoom(this.#db, room.roomId);
    const known = this.#known.get(room) ?? [];
    this.#known.set(room, [...known, { position: { seq, tag }, through: room.lastNumber }]);
  }

  /** Compares an answer with the oracle, and returns its `readVersion`. */
  #check({ readNumber, readVersion, seenNumber }: MembershipRow, { through, version, seen }: Marker): number {
    assert.deepEqual({ readNumber, readVersion, seenNumber }, { readNumber: through, readVersion: version, seenNumber: seen });
    return readVersion;
  }

  async #compare(): Promise<void> {
    const roomIds = this.#rooms.map(({ roomId }) => roomId);
    for (const userId of this.#users) {
      const expected = this.#rooms.map((room) => ({ room, count: room.unread(userId), isMuted: room.members.get(userId)?.isMuted }));
      const counts = new Map((await this.#subject.counts(this.#db, userId, roomIds)).map(({ roomId, count }) => [roomId, count]));
      assert.deepEqual(
        roomIds.map((id) => counts.get(id)),
        expected.map(({ count }) => count),
      );
      const unmuted = expected.filter(({ count = 0, isMuted }) => count > 0 && !isMuted);
      const messages = unmuted.reduce((sum, { count = 0 }) => sum + count, 0);
      assert.deepEqual(await readUnreadTotals(this.#db, userId), { rooms: unmuted.length, messages });
      const { rows } = await listRooms(this.#db, userId, {}, { unread: true }, 'NAME');
      assert.deepEqual(
        rows.map(({ id }) => id),
        unmuted.map(({ room }) => room.roomId),
      );
    }
  }
}

async function refused(attempt: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(attempt, (error: GaplessError) => error.code === code);
}

const propertyOf = (db: () => Db, of: Subject = subject) =>
  fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) =>
    (await World.create(db(), of)).run(steps),
  );

for (const storage of storages) {
  describe(`unread counts on ${storage}`, () => {
    let opened: TestStorage;
    before(async () => {
      opened = await openTestStorage(storage);
    });
    after(() => opened[Symbol.asyncDispose]());
    const db = () => opened.db;

    it('agree with the oracle after each step', { timeout: 240_000 }, async () => {
      const seed = chooseSeed(`unread counts on ${storage}`);
      await fc.assert(propertyOf(db), { seed, numRuns: storage === 'PGlite' ? 10 : 30 });
    });

    it('are exact up to 100, and above that include own messages', async () => {
      const chat = chatOn(opened.db);
      const { id: bob } = await createGuest(opened.db, 'Bob');
      const { roomId, userId } = await createOwnedRoom(chat, 'OPEN', [bob]);
      const count = async () => (await findUnreadCounts(opened.db, bob, [roomId]))[0]?.count;
      const send = (senderId: string, times: number) =>
        Promise.all(range(1, times).map(() => sendMessage(chat, senderId, { roomId, body: 'hello', marksRead: false })));
      await send(userId, 60);
      await send(bob, 40);
      assert.equal(await count(), 60, '100 messages after the marker');
      const [sent] = await send(userId, 1);
      assert.equal(await count(), 101, 'one more');
      await deleteMessage(chat, userId, sent?.message.id as string);
      assert.equal(await count(), 60);
    });
  });
}

describe('the oracle of unread counts', () => {
  let opened: TestStorage;
  before(async () => {
    opened = await openTestStorage('PostgreSQL');
  });
  after(() => opened[Symbol.asyncDispose]());

  interface Parts {
    readonly talk?: RawBuilder<number>;
    readonly deleted?: RawBuilder<number>;
    readonly own?: RawBuilder<number>;
  }
  const behind = sql`from messages where room_id = rooms.id and kind = 'TALK' and number > greatest(read_number, floor_number)`;
  /** Counts without regard to speed. */
  const countsWith =
    ({
      talk = sql`talk_count - case when read_number >= floor_number then read_talk else floor_talk_count end`,
      deleted = sql`(select count(*) ${behind} and deleted_at is not null)`,
      own = sql`(select count(*) ${behind} and deleted_at is null and sender_id = user_id)`,
    }: Parts): Subject['counts'] =>
    async (db, userId, roomIds) => {
      const { rows } = await sql<UnreadCount>`
        select room_id, (${talk} - ${deleted} - ${own})::int as count from memberships join rooms on rooms.id = room_id
        where user_id = ${userId} and room_id = any(${[...roomIds]}::text[])`.execute(db);
      return rows;
    };
  const setMarker: Subject['read'] = async (chat, userId, roomId, upTo, readVersion) => {
    const membership = await markRoomRead(chat, userId, roomId, upTo, readVersion);
    if (readVersion !== undefined && readVersion < membership.readVersion) return membership;
    const [result] = await moveMarkers(chat.db, [{ userId, roomId, ...decodeCursor(roomId, upTo), isSet: true }]);
    await chat.db.updateTable('memberships').set({ readVersion: membership.readVersion }).where('id', '=', membership.id).execute();
    return { ...(result as { membership: MembershipRow }).membership, readVersion: membership.readVersion };
  };
  const check = (control: Partial<Subject>) =>
    fc.check(
      propertyOf(() => opened.db, { ...subject, ...control }),
      { seed: 1, numRuns: 30, endOnFailure: true },
    );

  it('agrees with a plain count', { timeout: 120_000 }, async () => {
    assert.equal((await check({ counts: countsWith({}) })).failed, false);
  });

  const controls: Record<string, Partial<Subject>> = {
    'number in place of talkCount': { counts: countsWith({ talk: sql`last_number - greatest(read_number, floor_number)` }) },
    'no correction for deletions': { counts: countsWith({ deleted: sql`0` }) },
    'own messages that are counted': { counts: countsWith({ own: sql`0` }) },
    'retention without a count of what it removed': { counts: countsWith({ talk: sql`talk_count - read_talk` }) },
    'a marker that is set and not raised': { read: setMarker },
  };
  for (const [what, control] of Object.entries(controls)) {
    it(`catches ${what}`, { timeout: 120_000 }, async () => {
      assert.equal((await check(control)).failed, true);
    });
  }

  // A member who reads each message before the next one is sent has one unread message at most.
  const readWhileSent = async (count: (userId: string, roomId: string) => Promise<number>) => {
    const [chat, other] = [chatOn(opened.db), chatOn(opened.db)];
    const { id: bob } = await createGuest(opened.db, 'Bob');
    const { roomId, userId } = await createOwnedRoom(chat, 'OPEN', [bob]);
    let isOver = false;
    const sending = (async () => {
      while (!isOver) {
        const { message } = await sendMessage(chat, userId, { roomId, body: 'hello', marksRead: false });
        await markRoomRead(other, bob, roomId, encodeCursor(roomId, message), undefined);
      }
    })();
    const wrong: number[] = [];
    for (const _ of range(1, 300)) {
      const found = await count(bob, roomId);
      if (found !== 0 && found !== 1) wrong.push(found);
    }
    isOver = true;
    await sending;
    return wrong;
  };

  it('is met while messages are sent and read, because a count is one statement', { timeout: 60_000 }, async () => {
    const count = async (userId: string, roomId: string) => (await findUnreadCounts(opened.db, userId, [roomId]))[0]?.count as number;
    assert.deepEqual(await readWhileSent(count), []);
  });

  it('catches a count that is read in two statements', { timeout: 60_000 }, async () => {
    const wrong = await readWhileSent(async (userId, roomId) => {
      const { talkCount } = await getRoom(opened.db, roomId);
      await sql`select pg_sleep(0.005)`.execute(opened.db);
      const { readTalk } = await opened.db
        .selectFrom('memberships')
        .select('readTalk')
        .where('userId', '=', userId)
        .where('roomId', '=', roomId)
        .executeTakeFirstOrThrow();
      return talkCount - readTalk;
    });
    assert.ok(wrong.length > 0);
  });
});
