// A feed delivers the log to its subscriber, whatever the bus does with the entries. The oracle is the log.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
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
import { Lock } from '../support/lock.ts';
import { ManualClock } from '../support/manual-clock.ts';
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
  describe(`a feed on ${name}`, { timeout: 120_000 }, () => {
    let opened: TestStorage;
    let db: Db;
    let bus: FickleBus;
    let clock: ManualClock;
    let liveRooms: LiveRooms;
    let chat: Chat;
    let roomId: string;
    let userId: string;
    /** How often heads were read, which is what a head check does. */
    let headReads: number;
    before(async () => {
      opened = await openTestStorage(name);
      db = opened.db;
    });
    after(() => opened[Symbol.asyncDispose]());
    beforeEach(async () => {
      bus = new FickleBus();
      clock = new ManualClock();
      headReads = 0;
      const real = logSourceOf(opened.storage.feedDb);
      const source = {
        ...real,
        readHeads: (roomIds: readonly string[]) => {
          headReads += 1;
          return real.readHeads(roomIds);
        },
      };
      liveRooms = new LiveRooms(source, bus, retryFor(), silentLog, { clock });
      chat = chatOn(db, bus);
      ({ roomId, userId } = await createOwnedRoom(chat));
    });
    afterEach(async () => {
      // The live room is closed, however its feeds ended.
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
    /** Makes the node check heads, as it does each second while the bus is not healthy. Otherwise it checks none. */
    const checkHeads = () => {
      bus.healthy = false;
      return clock.advance(1000);
    };
    /** Blocks reads of the log until the returned function is called. */
    const lockLog = async () => {
      const lock = 'lock table room_log in access exclusive mode';
      if ('databaseUrl' in opened.config) {
        // On a connection of its own: PostgreSQL would end an idle transaction of the server before the read times out.
        const held = await Lock.take(opened.config.databaseUrl, lock);
        return () => held[Symbol.asyncDispose]();
      }
      const { promise: locked, resolve: onLocked } = Promise.withResolvers<void>();
      const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
      const holding = db.transaction().execute(async (trx) => {
        await sql.raw(lock).execute(trx);
        onLocked();
        await mayEnd;
      });
      await locked;
      return () => {
        end();
        return holding;
      };
    };
    /** Takes deliveries up to the head, and checks that they are the entries of the log. */
    const assertFollows = async (feed: FeedReader) => {
      const from = feed.position.seq;
      const log = (await readAll(db, roomId)).filter(({ seq }) => seq > from);
      assert.deepEqual(await take(feed, log.length), log);
    };

    it('delivers entries that are sent while it waits', async () => {
      await using feed = await open();
      const next = feed.next();
      await send();
      assert.equal((await next).value?.seq, 1);
      await send(3);
      await assertFollows(feed);
    });

    // The trap: pubSub.subscribe() attaches at the first next().
    it('delivers entries that are sent between its opening and the first next()', async () => {
      await using feed = await open();
      await send(2);
      await turn();
      await assertFollows(feed);
    });

    it('delivers missed entries and then new ones, with no gap between them', async () => {
      await send(4);
      const [first] = await readAll(db, roomId);
      assert.ok(first);
      await using feed = await open({ after: encodeCursor(roomId, first) });
      await send(3);
      assert.deepEqual(seqs(await take(feed, 6)), range(2, 7));
    });

    it('finds a lost entry when the next one arrives', async () => {
      await using feed = await open();
      await send();
      bus.lose();
      await send(2);
      bus.release();
      await send();
      await assertFollows(feed);
    });

    it('finds a lost last entry by the head check', async () => {
      await using feed = await open();
      bus.lose();
      const next = feed.next();
      await send(2);
      await checkHeads();
      assert.equal((await next).value?.seq, 1);
      await assertFollows(feed);
    });

    it('finds a lost last entry within 5 s even if the bus reports that it is healthy', async () => {
      await using feed = await open();
      bus.lose();
      const next = feed.next();
      await send();
      await clock.advance(5000);
      assert.equal((await next).value?.seq, 1);
    });

    it('finds a lost last entry within a second if the bus fails just after a head check', async () => {
      await using feed = await open();
      const next = feed.next();
      const before = headReads;
      await clock.advance(5000);
      assert.ok(headReads > before, 'the heads are checked while the bus is healthy');
      bus.lose();
      await send();
      await checkHeads();
      assert.equal((await next).value?.seq, 1);
      assert.equal(liveRooms.counts.missedFound, 1);
    });

    it('counts gaps that it finds, and counts nothing without a loss', async () => {
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

    it('drops repeated entries', async () => {
      await using feed = await open();
      bus.repeat(3);
      await send(3);
      await assertFollows(feed);
      bus.hold();
      await send(2);
      bus.release((held) => [...held, ...held]);
      await assertFollows(feed);
    });

    it('delivers in order entries that arrive out of order', async () => {
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

    it('misses nothing if it is opened while messages are sent', async () => {
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

    it('delivers at once an entry that was committed just before the node subscribed', async () => {
      const subscribe = bus.subscribe.bind(bus);
      bus.subscribe = async (...args) => {
        // Published without a subscriber, and committed before the log is read.
        await send();
        await new Promise((resolve) => setImmediate(resolve));
        return subscribe(...args);
      };
      await using feed = await open({ after: await floorCursor() });
      await assertFollows(feed);
    });

    // The trap: pubSub.subscribe() of Yoga queues per subscriber, and ends the process when the queue is full.
    it('keeps only a position for a slow reader', async () => {
      await using feed = await open();
      await using quick = await open();
      await fillRoom(db, roomId, 1800);
      await send();
      assert.deepEqual(seqs(await take(quick, 1801)), range(1, 1801));
      await send();
      assert.deepEqual(seqs(await take(feed, 1802)), range(1, 1802));
    });

    it('reads nothing from the log for a resume at a position that another resume has read', async () => {
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

    it('delivers CaughtUp once, after everything that was missed at the start', async () => {
      // A live room that has lost all entries, so that its own head is too old.
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

    it('delivers CaughtUp at once if nothing was missed', async () => {
      await send();
      for (const after of [undefined, encodeCursor(roomId, headOf(await getRoom(db, roomId)))]) {
        await using feed = await open({ after, caughtUp: true });
        const [caughtUp] = await take(feed, 1);
        assert.deepEqual([caughtUp?.type, caughtUp?.seq], ['CaughtUp', 1]);
      }
    });

    // The trap: return() of a bare async generator hangs until its pending await ends.
    it('ends at once while it waits', async () => {
      const feed = await open();
      const next = feed.next();
      await turn();
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
      // The tail holds only the newest entries, so next() must read the entries after the first page from the log.
      assert.deepEqual(seqs(await take(other, 1800)), range(1, 1800));
      await take(feed, 500);
      const unlock = await lockLog();
      const { reads } = liveRooms.counts;
      const next = feed.next();
      await until('the log is read', () => liveRooms.counts.reads > reads);
      const began = performance.now();
      await feed.stop();
      assert.deepEqual(await next, { done: true, value: undefined });
      // Less than a statement may wait for a lock.
      assert.ok(performance.now() - began < 2500);
      await unlock();
    });

    it('continues from its position once the database answers again', async () => {
      await using feed = await open();
      const head = await fillRoom(db, roomId, 600);
      const unlock = await lockLog();
      bus.publish({ roomId, ...head, previousTag: 0, at: new Date(), type: 'RoomUpdated' });
      const taking = take(feed, 600);
      // PGlite answers late but does not fail.
      if (name === 'PostgreSQL') await until('the read is retried', () => liveRooms.counts.retries > 0);
      else await sleep(100);
      await unlock();
      assert.deepEqual(seqs(await taking), range(1, 600));
    });

    it('ends after the entry that ends the right to a PRIVATE room, and delivers nothing after it', async () => {
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

    it('resumes from an old cursor for a member who was removed and added again', async () => {
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

    it('continues in an OPEN room for a viewer who has left it', async () => {
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

    it('ends after the entry that deletes the room', async () => {
      await using feed = await open();
      await deleteRoom(chat, userId, roomId);
      assert.equal((await take(feed, 1))[0]?.type, 'RoomDeleted');
      assert.equal((await feed.next()).done, true);
      await assert.rejects(open(), ({ code }: GaplessError) => code === 'NOT_FOUND');
    });

    it('moves its position past entries that its reader does not want', async () => {
      const { message } = await sendMessage(chat, userId, { roomId, body: 'one' });
      const after = await floorCursor();
      const wants = (type: Delivery['type']) => type === 'MessageAdded';
      await using feed = new FeedReader(await openFeed(liveRooms, { roomId, viewerId: userId, after, wants }));
      await editMessage(chat, userId, message.id, 'two');
      await send();
      assert.deepEqual(seqs(await take(feed, 2)), [1, 3]);
      assert.equal(feed.position.seq, 3);
    });

    // The trap: a failover to an asynchronous standby loses rows and reuses their seq.
    it('ends with CURSOR_EXPIRED if entries that it delivered are rolled back', async () => {
      await using feed = await open();
      await send(6);
      const third = (await take(feed, 3))[2];
      await take(feed, 3);
      assert.ok(third);
      const cursor = encodeCursor(roomId, feed.position);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, third);
      await checkHeads();
      await refused;
      await assert.rejects(open({ after: cursor }), isExpired);
    });

    it('ends with CURSOR_EXPIRED if the log is rolled back and grows to the same seq again', async () => {
      await using feed = await open();
      await send(3);
      const [, second] = await take(feed, 3);
      assert.ok(second);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, second);
      bus.lose();
      await send();
      await checkHeads();
      await refused;
    });

    it('detects by the next entry a rollback after which the log grew to the same length unnoticed', async () => {
      await using feed = await open();
      await send(3);
      const [, second] = await take(feed, 3);
      assert.ok(second);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, second);
      bus.lose();
      await send();
      bus.release();
      // The entry has the next seq, but it follows another entry than the known head.
      await send();
      await refused;
      assert.equal(liveRooms.counts.rollbacksFound, 1);
    });

    it('checks the right again after a rollback', async () => {
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
      // This entry reveals the rollback to the node.
      await send();
      await until('the rollback is detected', () => liveRooms.counts.rollbacksFound === 1);
      await assert.rejects(guest.next(), ({ code }: GaplessError) => code === 'NOT_FOUND');
      await assertFollows(owner);
    });

    it('serves new subscribers after a rollback, and continues if it delivered nothing that was rolled back', async () => {
      await using slow = await open();
      await using waiting = await open();
      await send(4);
      const [, second] = await take(waiting, 4);
      assert.ok(second);
      const refused = assert.rejects(waiting.next(), isExpired);
      await rollBackTo(db, roomId, second);
      await checkHeads();
      await refused;
      // Subscribes again after a reload of the page, as the error message asks.
      await using newcomer = await open({ after: encodeCursor(roomId, second) });
      await send(2);
      await assertFollows(newcomer);
      await assertFollows(slow);
      await send();
      await assertFollows(newcomer);
      await assertFollows(slow);
    });

    it('never delivers entries that were rolled back among those of the log', async () => {
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
      await checkHeads();
      assert.deepEqual((await next).value, (await readAll(db, roomId)).at(-1));
      await early.stop();
    });

    it('detects a rollback by an entry that does not follow the head, before it applies later entries', async () => {
      await using feed = await open();
      await send(6);
      const third = (await take(feed, 6))[2];
      assert.ok(third);
      const refused = assert.rejects(feed.next(), isExpired);
      await rollBackTo(db, roomId, third);
      await send(4);
      await refused;
    });

    it('gives a new subscriber the current log after a rollback that is not yet detected', async () => {
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

    it('is refused with a cursor that is malformed, of another room, or after the head', async () => {
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

    it('shares one bus subscription with the other feeds of its room', async () => {
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
