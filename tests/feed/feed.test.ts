// What a subscriber is handed, whatever the bus does with the entries: the oracle is the log.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Chat } from '../../src/chat/chat.ts';
import { addMember, joinRoom, leaveRoom, removeMember } from '../../src/chat/members.ts';
import { editMessage, sendMessage } from '../../src/chat/messages.ts';
import { deleteRoom } from '../../src/chat/rooms.ts';
import type { GaplessError } from '../../src/errors.ts';
import type { Delivery } from '../../src/feed/delivery.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { logSourceOf } from '../../src/feed/log-reader.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor } from '../../src/storage/cursor.ts';
import { floorOf, headOf } from '../../src/storage/room-log.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { until } from '../support/process.ts';
import { chooseSeed, randomFrom } from '../support/random.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog, storages } from '../support/server.ts';
import {
  chatOn,
  createOwnedRoom,
  fillRoom,
  getRoom,
  openTestStorage,
  range,
  readAll,
  rollBackTo,
  type TestStorage,
} from '../support/storage.ts';

const isExpired = ({ code }: GaplessError) => code === 'CURSOR_EXPIRED';

const take = (feed: FeedReader, count: number) => feed.take(count);
const seqs = (deliveries: readonly Delivery[]) => deliveries.map(({ seq }) => seq);

for (const name of storages) {
  describe(`a feed on ${name}`, () => {
    let opened: TestStorage;
    let db: Db;
    let bus: FickleBus;
    let liveRooms: LiveRooms;
    let chat: Chat;
    let roomId: string;
    let userId: string;
    before(async () => {
      opened = await openTestStorage(name);
      db = opened.db;
    });
    after(() => opened[Symbol.asyncDispose]());
    beforeEach(async () => {
      bus = new FickleBus();
      liveRooms = new LiveRooms(logSourceOf(opened.storage.feedDb), bus, retryFor(), silentLog);
      chat = chatOn(db, bus);
      ({ roomId, userId } = await createOwnedRoom(chat));
    });
    afterEach(async () => {
      // No live room is left behind, however its feeds ended.
      assert.equal(liveRooms.size, 0);
      await liveRooms[Symbol.asyncDispose]();
    });

    const send = async (count = 1) => {
      for (let i = 0; i < count; i += 1) await sendMessage(chat, userId, { roomId, body: 'hello' });
    };
    const open = async (options: { after?: string | undefined; caughtUp?: boolean; viewerId?: string } = {}) =>
      new FeedReader(
        await openFeed(liveRooms, {
          roomId,
          viewerId: options.viewerId ?? userId,
          after: options.after,
          wants: (type) => type !== 'CaughtUp' || options.caughtUp === true,
        }),
      );
    const floorCursor = async () => encodeCursor(roomId, floorOf(await getRoom(db, roomId)));
    /** Has the heads checked as often as they are while the bus is not healthy. */
    const checkEachSecond = async () => {
      bus.healthy = false;
      await liveRooms[Symbol.asyncDispose]();
      liveRooms = new LiveRooms(logSourceOf(opened.storage.feedDb), bus, retryFor(), silentLog);
    };
    /** Keeps reads of the log waiting, until the returned function is called. */
    const holdLog = async () => {
      const { promise: held, resolve: hold } = Promise.withResolvers<void>();
      const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
      const holding = db.transaction().execute(async (trx) => {
        await sql`lock table room_log in access exclusive mode`.execute(trx);
        hold();
        await mayEnd;
      });
      await held;
      return () => {
        end();
        return holding;
      };
    };
    /** What is handed over from here to the head of the log; and that it is the log. */
    const assertFollows = async (feed: FeedReader) => {
      const from = feed.position.seq;
      const log = (await readAll(db, roomId)).filter(({ seq }) => seq > from);
      assert.deepEqual(await take(feed, log.length), log);
    };

    it('hands over what is sent while it waits', async () => {
      await using feed = await open();
      const next = feed.next();
      await send();
      assert.equal((await next).value?.seq, 1);
      await send(3);
      await assertFollows(feed);
    });

    // The trap: pubSub.subscribe() attaches at the first next().
    it('hands over what is sent between its opening and the first next()', async () => {
      await using feed = await open();
      await send(2);
      await sleep(20);
      await assertFollows(feed);
    });

    it('hands over what was missed, and then what is sent, with no seam', async () => {
      await send(4);
      const [first] = await readAll(db, roomId);
      assert.ok(first);
      await using feed = await open({ after: encodeCursor(roomId, first) });
      await send(3);
      assert.deepEqual(seqs(await take(feed, 6)), range(2, 7));
    });

    it('finds an entry that was lost, once another comes after it', async () => {
      await using feed = await open();
      await send();
      bus.lose();
      await send(2);
      bus.release();
      await send();
      await assertFollows(feed);
    });

    it('finds an entry that was lost with nothing after it, by the head check', async () => {
      await checkEachSecond();
      await using feed = await open();
      bus.lose();
      const next = feed.next();
      await send(2);
      const began = performance.now();
      assert.equal((await next).value?.seq, 1);
      assert.ok(performance.now() - began < 3000);
      await assertFollows(feed);
    });

    it('finds what was lost with nothing after it within 5 s also where the bus calls itself healthy', async () => {
      await using feed = await open();
      bus.lose();
      const next = feed.next();
      await send();
      const began = performance.now();
      assert.equal((await next).value?.seq, 1);
      assert.ok(performance.now() - began < 6500);
    });

    it('finds it within a second where the bus fails just after the heads were checked', async () => {
      await using feed = await open();
      bus.lose();
      const next = feed.next();
      await send();
      bus.healthy = false;
      const began = performance.now();
      assert.equal((await next).value?.seq, 1);
      assert.ok(performance.now() - began < 1500);
      assert.equal(liveRooms.counts.missedFound, 1);
    });

    it('counts what was found missing, and nothing where all is well', async () => {
      await using feed = await open({ after: await floorCursor() });
      await send(3);
      await assertFollows(feed);
      const { gapsFound, missedFound, rollbacksFound, retries } = liveRooms.counts;
      assert.deepEqual(
        { gapsFound, missedFound, rollbacksFound, retries },
        { gapsFound: 0, missedFound: 0, rollbacksFound: 0, retries: 0 },
      );
      bus.lose();
      await send();
      bus.release();
      await send();
      await assertFollows(feed);
      assert.equal(liveRooms.counts.gapsFound, 1);
      assert.ok(liveRooms.counts.reads >= 1);
    });

    it('drops repeats', async () => {
      await using feed = await open();
      bus.repeat(3);
      await send(3);
      await assertFollows(feed);
      bus.hold();
      await send(2);
      bus.release((held) => [...held, ...held]);
      await assertFollows(feed);
    });

    it('puts in order what arrives out of order', async () => {
      await using feed = await open();
      bus.hold();
      await send(6);
      bus.release((held) => held.reverse());
      await assertFollows(feed);
    });

    it('does not follow an entry that is a million ahead of the log', async () => {
      await using feed = await open();
      bus.deliver = (entry, send) => {
        send({ ...entry, seq: entry.seq + 1_000_000 });
        send(entry);
      };
      await send(3);
      await assertFollows(feed);
      bus.release();
      await send(2);
      await assertFollows(feed);
      assert.equal(feed.position.seq, 5);
    });

    it('misses nothing where it is opened just as something is sent', async () => {
      const seed = chooseSeed('opening while sending');
      for (const run of range(1, 30)) {
        const random = randomFrom(seed + run);
        const from = headOf(await getRoom(db, roomId));
        const sending = (async () => {
          for (const _ of range(1, 4)) {
            await sleep(random() * 3);
            await send();
          }
        })();
        await sleep(random() * 9);
        await using feed = await open(random() < 0.5 ? { after: encodeCursor(roomId, from) } : {});
        const begin = feed.position.seq;
        const taken = take(feed, from.seq + 4 - begin);
        await sending;
        assert.deepEqual(seqs(await taken), range(begin + 1, from.seq + 4), `run ${run}`);
      }
    });

    it('hands over at once what was committed just before it listened', async () => {
      const subscribe = bus.subscribe.bind(bus);
      bus.subscribe = async (...args) => {
        // Published to nobody, and committed before the log is read.
        await send();
        await new Promise((resolve) => setImmediate(resolve));
        return subscribe(...args);
      };
      await using feed = await open({ after: await floorCursor() });
      const began = performance.now();
      await assertFollows(feed);
      assert.ok(performance.now() - began < 2000, 'it was left to the head check');
    });

    // The trap: pubSub.subscribe() of Yoga queues per subscriber, and ends the process when the queue is full.
    it('waits for a slow reader in the log, and not in memory', async () => {
      await using feed = await open();
      await using quick = await open();
      await fillRoom(db, roomId, 1800);
      await send();
      assert.deepEqual(seqs(await take(quick, 1801)), range(1, 1801));
      await send();
      assert.deepEqual(seqs(await take(feed, 1802)), range(1, 1802));
    });

    it('reads nothing for who comes back from where others came back from', async () => {
      await send(30);
      const log = await readAll(db, roomId);
      await using _live = await open();
      await using first = await open({ after: await floorCursor() });
      assert.deepEqual(seqs(await take(first, 30)), range(1, 30));
      assert.equal(liveRooms.counts.reads, 1);
      for (const position of log.slice(0, -1)) {
        await using next = await open({ after: encodeCursor(roomId, position) });
        assert.deepEqual(seqs(await take(next, 30 - position.seq)), range(position.seq + 1, 30));
      }
      assert.equal(liveRooms.counts.reads, 1);
    });

    it('says once that it has caught up: when all that was missed at the start is handed over', async () => {
      // A live room that has lost all of it, so that its own head is no measure.
      await using _early = await open();
      bus.lose();
      await fillRoom(db, roomId, 1300);
      await using feed = await open({ after: await floorCursor(), caughtUp: true });
      const deliveries = await take(feed, 1301);
      assert.deepEqual(
        deliveries.flatMap(({ type }, i) => (type === 'CaughtUp' ? [i] : [])),
        [1300],
      );
      assert.equal(deliveries.at(-1)?.seq, 1300);
      bus.release();
      await send(2);
      assert.deepEqual(
        (await take(feed, 2)).map(({ type }) => type),
        ['MessageAdded', 'MessageAdded'],
      );
    });

    it('says at once that it has caught up where nothing was missed', async () => {
      await send();
      for (const after of [undefined, encodeCursor(roomId, headOf(await getRoom(db, roomId)))]) {
        await using feed = await open({ after, caughtUp: true });
        const [caughtUp] = await take(feed, 1);
        assert.deepEqual([caughtUp?.type, caughtUp?.seq], ['CaughtUp', 1]);
      }
    });

    // The trap: a bare async generator, whose return() hangs behind the await that it is parked at.
    it('ends at once while it waits', async () => {
      const feed = await open();
      const next = feed.next();
      await sleep(10);
      await feed.stop();
      assert.deepEqual(await next, { done: true, value: undefined });
      assert.deepEqual(await feed.next(), { done: true, value: undefined });
      assert.equal(liveRooms.size, 0);
    });

    it('ends at once while the database does not answer', async () => {
      await using other = await open();
      const head = await fillRoom(db, roomId, 1800);
      bus.publish({ roomId, ...head, previousTag: 0, at: new Date(), type: 'RoomUpdated' });
      const feed = await open({ after: await floorCursor() });
      // The node knows of all, and keeps the end of it: what comes behind the first page is to be read by next().
      assert.deepEqual(seqs(await take(other, 1800)), range(1, 1800));
      await take(feed, 500);
      const letGo = await holdLog();
      const next = feed.next();
      const began = performance.now();
      await sleep(20);
      await feed.stop();
      assert.deepEqual(await next, { done: true, value: undefined });
      assert.ok(performance.now() - began < 500);
      await letGo();
    });

    it('goes on where it was once the database answers again', async () => {
      await using feed = await open();
      const head = await fillRoom(db, roomId, 600);
      const letGo = await holdLog();
      bus.publish({ roomId, ...head, previousTag: 0, at: new Date(), type: 'RoomUpdated' });
      const taking = take(feed, 600);
      // Longer than a statement may wait for a lock.
      await sleep(3500);
      await letGo();
      assert.deepEqual(seqs(await taking), range(1, 600));
      // PGlite answers late, and does not fail.
      assert.equal(liveRooms.counts.retries > 0, name === 'PostgreSQL');
    });

    it('ends behind the entry that takes the right to a PRIVATE room, and hands over nothing that comes later', async () => {
      const { id: viewerId } = await createGuest(db, 'Grace');
      const room = await createOwnedRoom(chat, 'PRIVATE', [viewerId]);
      ({ roomId, userId } = room);
      await using waiting = await open({ viewerId });
      await using slow = await open({ viewerId });
      const taking = take(waiting, 3);
      await send();
      await removeMember(chat, userId, roomId, viewerId);
      await send(2);
      for (const deliveries of [await taking, await take(slow, 3)]) {
        assert.deepEqual(
          deliveries.map(({ type }) => type),
          ['MessageAdded', 'MessageAdded', 'MemberLeft'],
        );
      }
      assert.equal((await waiting.next()).done, true);
      assert.equal((await slow.next()).done, true);
      await assert.rejects(open({ viewerId }), ({ code }: GaplessError) => code === 'NOT_FOUND');
    });

    it('serves an old cursor to somebody who is back, past the entry that once took their right', async () => {
      const { id: viewerId } = await createGuest(db, 'Grace');
      ({ roomId, userId } = await createOwnedRoom(chat, 'PRIVATE', [viewerId]));
      const cursor = await floorCursor();
      await removeMember(chat, userId, roomId, viewerId);
      await addMember(chat, userId, roomId, viewerId);
      await using feed = await open({ viewerId, after: cursor });
      assert.deepEqual(seqs(await take(feed, 4)), range(1, 4));
      await send();
      await assertFollows(feed);
    });

    it('goes on in an OPEN room for somebody who has left it', async () => {
      const { id: viewerId } = await createGuest(db, 'Grace');
      await using feed = await open({ viewerId });
      await joinRoom(chat, viewerId, roomId);
      await leaveRoom(chat, viewerId, roomId);
      await send();
      assert.deepEqual(
        (await take(feed, 5)).map(({ type }) => type),
        ['MemberJoined', 'MessageAdded', 'MessageAdded', 'MemberLeft', 'MessageAdded'],
      );
    });

    it('ends behind the entry that deletes the room', async () => {
      await using feed = await open();
      await deleteRoom(chat, userId, roomId);
      assert.equal((await take(feed, 1))[0]?.type, 'RoomDeleted');
      assert.equal((await feed.next()).done, true);
      await assert.rejects(open(), ({ code }: GaplessError) => code === 'NOT_FOUND');
    });

    it('moves behind what its reader does not want', async () => {
      const { message } = await sendMessage(chat, userId, { roomId, body: 'one' });
      const after = await floorCursor();
      const wants = (type: Delivery['type']) => type === 'MessageAdded';
      await using feed = new FeedReader(await openFeed(liveRooms, { roomId, viewerId: userId, after, wants }));
      await editMessage(chat, userId, message.id, 'two');
      await send();
      assert.deepEqual(seqs(await take(feed, 2)), [1, 3]);
      assert.equal(feed.position.seq, 3);
    });

    // The trap: a failover to an asynchronous standby loses rows and gives their seq again.
    it('ends with CURSOR_EXPIRED where the log behind it is undone', async () => {
      await checkEachSecond();
      await using feed = await open();
      await send(6);
      const third = (await take(feed, 3))[2];
      await take(feed, 3);
      assert.ok(third);
      const cursor = encodeCursor(roomId, feed.position);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, third);
      await refused;
      await assert.rejects(open({ after: cursor }), isExpired);
    });

    it('ends with CURSOR_EXPIRED where the log is undone and grows to the same seq again', async () => {
      await checkEachSecond();
      await using feed = await open();
      await send(3);
      const [, second] = await take(feed, 3);
      assert.ok(second);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, second);
      bus.lose();
      await send();
      await refused;
    });

    it('notices it by the next entry where the log has grown to the same length unheard', async () => {
      await using feed = await open();
      await send(3);
      const [, second] = await take(feed, 3);
      assert.ok(second);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, second);
      bus.lose();
      await send();
      bus.release();
      // The seq is the next one, and the entry follows another than ours.
      const began = performance.now();
      await send();
      await refused;
      assert.ok(performance.now() - began < 2000, 'it was left to the head check');
      assert.equal(liveRooms.counts.rollbacksFound, 1);
    });

    it('looks again at the right of whoever goes on after the log was undone', async () => {
      const { id: viewerId } = await createGuest(db, 'Grace');
      ({ roomId, userId } = await createOwnedRoom(chat, 'PRIVATE'));
      await send(2);
      const second = headOf(await getRoom(db, roomId));
      await addMember(chat, userId, roomId, viewerId);
      await using guest = await open({ viewerId, after: await floorCursor() });
      await using owner = await open({ after: await floorCursor() });
      assert.deepEqual(seqs(await take(guest, 1)), [1]);
      await take(owner, 1);
      await rollBackTo(db, roomId, second);
      await db.deleteFrom('memberships').where('userId', '=', viewerId).execute();
      // By this the node notices.
      await send();
      await until('it is noticed', () => liveRooms.counts.rollbacksFound === 1);
      await assert.rejects(guest.next(), ({ code }: GaplessError) => code === 'NOT_FOUND');
      await assertFollows(owner);
    });

    it('serves newcomers after the log was undone, and goes on for whoever was handed nothing of what was', async () => {
      await checkEachSecond();
      await using slow = await open();
      await using waiting = await open();
      await send(4);
      const [, second] = await take(waiting, 4);
      assert.ok(second);
      const refused = assert.rejects(waiting.next(), isExpired);
      await rollBackTo(db, roomId, second);
      await refused;
      // Reloaded, and subscribed again, as the error says.
      await using newcomer = await open({ after: encodeCursor(roomId, second) });
      await send(2);
      await assertFollows(newcomer);
      await assertFollows(slow);
      await send();
      await assertFollows(newcomer);
      await assertFollows(slow);
    });

    it('never mixes the history that was undone into the one that is', async () => {
      await using early = await open();
      await send(6);
      const third = (await take(early, 6))[2];
      assert.ok(third);
      await rollBackTo(db, roomId, third);
      bus.lose();
      await send();
      await using feed = await open({ after: encodeCursor(roomId, third) });
      await assertFollows(feed);
      const next = feed.next();
      await send();
      assert.deepEqual((await next).value, (await readAll(db, roomId)).at(-1));
      await early.stop();
    });

    it('notices that the log was undone by what it hears otherwise, before it takes what comes behind', async () => {
      await using feed = await open();
      await send(6);
      const third = (await take(feed, 6))[2];
      assert.ok(third);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, third);
      await send(4);
      await refused;
    });

    it('gives a newcomer the present where the log was undone and nobody has noticed', async () => {
      await using early = await open();
      await send(6);
      const third = (await take(early, 6))[2];
      assert.ok(third);
      await rollBackTo(db, roomId, third);
      await using feed = await open({ after: encodeCursor(roomId, third) });
      const next = feed.next();
      await send();
      assert.deepEqual((await next).value, (await readAll(db, roomId)).at(-1));
      await assert.rejects(early.next(), isExpired);
    });

    it('is opened for nobody where the cursor is junk, of another room, or beyond the head', async () => {
      await send();
      const { headSeq, headTag } = await getRoom(db, roomId);
      const codes = await Promise.all(
        [
          'junk',
          encodeCursor('room_00000000000000000000000000', { seq: headSeq, tag: headTag }),
          encodeCursor(roomId, { seq: headSeq + 1, tag: headTag }),
          encodeCursor(roomId, { seq: headSeq, tag: headTag + 1 }),
        ].map((after) =>
          open({ after }).then(
            () => 'opened',
            ({ code }: GaplessError) => code,
          ),
        ),
      );
      assert.deepEqual(codes, ['CURSOR_INVALID', 'CURSOR_INVALID', 'CURSOR_EXPIRED', 'CURSOR_EXPIRED']);
    });

    it('subscribes to a room once, however many watch it', async () => {
      let subscriptions = 0;
      const subscribe = bus.subscribe.bind(bus);
      bus.subscribe = (id, listener) => {
        subscriptions += 1;
        return subscribe(id, listener);
      };
      const feeds = await Promise.all(range(1, 20).map(() => open()));
      assert.deepEqual([subscriptions, liveRooms.size], [1, 1]);
      await send(2);
      for (const feed of feeds) assert.deepEqual(seqs(await take(feed, 2)), [1, 2]);
      await Promise.all(feeds.map((feed) => feed.stop()));
    });
  });
}
