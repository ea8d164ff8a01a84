// Reads of the log for feeds: few reads, however many feeds wait.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { GaplessError } from '../../src/errors.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { type EntriesAfter, LogReader, type LogSource, logPageSize, logSourceOf } from '../../src/feed/log-reader.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor, type Position } from '../../src/storage/cursor.ts';
import { FeedReader } from '../support/feed-reader.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { chooseSeed, randomFrom } from '../support/random.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, fillRoom, openTestStorage, range, readAll, rollBackTo, type TestStorage } from '../support/storage.ts';

for (const name of storages) {
  describe(`reads of the log on ${name}`, () => {
    /** Fewer on PGlite: who reads for whom is decided before the database, and each stream takes some 250 entries. */
    const streams = name === 'PostgreSQL' ? 2000 : 200;
    let opened: TestStorage;
    /** Counts reads: in total, concurrent by room, and the maximum of all concurrent ones. */
    let source: LogSource;
    let reads = 0;
    let most = 0;
    const underWay = new Map<string, number>();
    before(async () => {
      opened = await openTestStorage(name);
      const real = logSourceOf(opened.storage.feedDb);
      source = {
        ...real,
        async readPage(roomId, fromSeq) {
          reads += 1;
          underWay.set(roomId, (underWay.get(roomId) ?? 0) + 1);
          assert.equal(underWay.get(roomId), 1, 'two concurrent reads of one room');
          most = Math.max(
            most,
            [...underWay.values()].reduce((sum, each) => sum + each, 0),
          );
          return real.readPage(roomId, fromSeq).finally(() => underWay.set(roomId, 0));
        },
      };
    });
    after(() => opened[Symbol.asyncDispose]());
    const createFilledRoom = async (count: number) => {
      const room = await createOwnedRoom(chatOn(opened.db));
      await fillRoom(opened.db, room.roomId, count);
      return { ...room, log: await readAll(opened.db, room.roomId) };
    };

    it(`are at most 20 if ${streams} streams resume that lag by 1 to 500 messages`, { timeout: 120_000 }, async () => {
      const seed = chooseSeed('streams that resume together');
      const random = randomFrom(seed);
      const { roomId, userId, log } = await createFilledRoom(1500);
      await using liveRooms = new LiveRooms(source, new FickleBus(), retryFor(), silentLog);
      reads = 0;
      const starts = range(1, streams).map(() => log.length - 1 - Math.ceil(random() * 500));
      const feeds = await Promise.all(
        starts.map(async (start) => {
          const cursor = encodeCursor(roomId, log[start] as Position);
          return new FeedReader(await openFeed(liveRooms, { roomId, viewerId: userId, after: cursor, wants: () => true }));
        }),
      );
      await Promise.all(
        feeds.map(async (feed, i) => {
          const expected = log.slice((starts[i] as number) + 1);
          // All at once, as a sink that is ready takes them: one by one, each would be executed by itself.
          const delivered = await Promise.all([...expected, undefined].map(() => feed.next()));
          assert.equal(delivered.pop()?.value?.type, 'CaughtUp');
          assert.deepEqual(
            delivered.map(({ value }) => value?.seq),
            expected.map(({ seq }) => seq),
          );
        }),
      );
      assert.ok(reads <= 20, `${reads} reads`);
      await Promise.all(feeds.map((feed) => feed.stop()));
    });

    it('answer every feed whose position is in the page', async () => {
      const { roomId, log } = await createFilledRoom(900);
      const reader = new LogReader(source, () => {});
      reads = 0;
      const first = reader.read(roomId, log[600] as Position);
      const others = [700, 350, 599, 899, 350, 401].map((at) => ({ at, read: reader.read(roomId, log[at] as Position) }));
      assert.deepEqual(await first, { entries: log.slice(601), last: true });
      for (const { at, read } of others) {
        const { entries, last } = await read;
        assert.ok(entries.length > 0 || at === 899);
        assert.deepEqual(entries, log.slice(at + 1, at + 1 + entries.length));
        assert.equal(last, entries.at(-1) === log.at(-1) || at === 899);
      }
      // The first read, then one for all positions in its page, then one for the position after that page.
      assert.equal(reads, 3);
    });

    it('do not answer a feed that asks during the read, because the answer may be older than what the feed knows', async () => {
      const { roomId, log } = await createFilledRoom(3);
      const head = log[2] as Position;
      const { promise: reading, resolve: onReading } = Promise.withResolvers<void>();
      const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
      const slow: LogSource = {
        ...source,
        async readPage(...args) {
          const page = await source.readPage(...args);
          onReading();
          await mayEnd;
          return page;
        },
      };
      const reader = new LogReader(slow, () => {});
      const early = reader.read(roomId, head);
      await reading;
      await fillRoom(opened.db, roomId, 1);
      const late = reader.read(roomId, head);
      end();
      assert.deepEqual([(await early).entries.length, (await late).entries.length], [0, 1]);
    });

    it('answer the feed that has waited longest, even while others keep asking for the beginning', async () => {
      const { roomId, log } = await createFilledRoom(3 * logPageSize);
      const reader = new LogReader(source, () => {});
      let asking = true;
      const others = range(1, 3).map(async () => {
        while (asking) await reader.read(roomId, log[0] as Position);
      });
      const { entries } = await reader.read(roomId, log[2 * logPageSize] as Position);
      assert.deepEqual(entries, log.slice(2 * logPageSize + 1));
      asking = false;
      await Promise.all(others);
    });

    it('fail only for feeds whose position the log does not hold', async () => {
      const { roomId, log } = await createFilledRoom(20);
      const third = log[2] as Position;
      await rollBackTo(opened.db, roomId, third);
      await fillRoom(opened.db, roomId, 4);
      const now = await readAll(opened.db, roomId);
      const reader = new LogReader(source, () => {});
      reads = 0;
      // The first feed starts a read of the room. The others wait for the next one.
      const results = await Promise.allSettled([0, 1, 3, 19, 2, 5].map((at) => reader.read(roomId, log[at] as Position)));
      const lengths = results.map((result) =>
        result.status === 'fulfilled' ? result.value.entries.length : (result.reason as GaplessError).code,
      );
      assert.deepEqual(lengths, [6, 5, 'CURSOR_EXPIRED', 'CURSOR_EXPIRED', 4, 'CURSOR_EXPIRED']);
      assert.deepEqual((results[0] as PromiseFulfilledResult<EntriesAfter>).value.entries, now.slice(1));
      assert.equal(reads, 2);
    });

    it('run four at a time on a node, and one at a time per room', async () => {
      const rooms = await Promise.all(range(1, 12).map(() => createFilledRoom(10)));
      const reader = new LogReader(source, () => {});
      most = 0;
      const pages = await Promise.all(
        rooms.flatMap(({ roomId, log }) =>
          range(0, 8).map((at) => reader.read(roomId, log[at] as Position).then(({ entries }) => entries.length + at)),
        ),
      );
      assert.deepEqual(new Set(pages), new Set([9]));
      assert.equal(most, 4);
    });
  });
}
