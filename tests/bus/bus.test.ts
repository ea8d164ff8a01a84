// The contract of the bus, in process and on Redis; and what the bus on Redis does while Redis fails.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { Link } from '../../proof/rig/link.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { RedisBus } from '../../src/bus/redis-bus.ts';
import { readEntry, writeEntry } from '../../src/bus/wire.ts';
import type { LogEvent } from '../../src/storage/entry-types.ts';
import { newId } from '../../src/storage/id.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';
import type { UnknownEntry } from '../../src/storage/unknown-entry.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/process.ts';
import { type RedisServer, sharedRedis, startRedis } from '../support/redis.ts';
import { silentLog } from '../support/server.ts';
import { range } from '../support/storage.ts';

const at = new Date('2026-01-02T03:04:05.678Z');
const entryOf = (roomId: string, seq = 1, event: LogEvent = { type: 'MessageAdded', messageId: newId('message') }): LogEntry => ({
  roomId,
  seq,
  tag: -seq,
  previousTag: 1 - seq,
  at,
  ...event,
});

/** Subscribes, and keeps what is received. */
async function listen(bus: Bus, roomId: string) {
  const received: (LogEntry | UnknownEntry)[] = [];
  const stop = await bus.subscribe(roomId, (entry) => received.push(entry));
  return { received, stop };
}

/** Publishes the same entry until it is received, which shows that the subscription works. */
async function untilReceived(publisher: Bus, roomId: string, received: (LogEntry | UnknownEntry)[], tick = async () => {}): Promise<void> {
  const entry = entryOf(roomId, 999_999);
  await until('an entry is received', async () => {
    await tick();
    publisher.publish(entry);
    return received.some(({ seq }) => seq === entry.seq);
  });
}

const buses = [
  { name: 'in process', open: () => new MemoryBus() },
  { name: 'on Redis', open: () => new RedisBus(sharedRedis(process.env['REDIS_URL'] as string), silentLog) },
];

for (const { name, open } of buses) {
  describe(`the bus ${name}`, () => {
    let bus: Bus;
    beforeEach(async () => {
      bus = open();
      await until('the bus is healthy', () => bus.healthy);
    });
    afterEach(() => bus[Symbol.asyncDispose]());

    it('wakes every listener of a topic until it stops listening', async () => {
      const woken = [0, 0];
      const stop = [0, 1].map((i) => bus.onWake('revocations', () => (woken[i] = (woken[i] as number) + 1)));
      await until('both are woken', () => {
        bus.wake('revocations');
        return woken.every((times) => times > 0);
      });
      stop[0]?.();
      const [first] = woken as [number];
      const second = woken[1] as number;
      await until('the other is woken again', () => {
        bus.wake('revocations');
        return (woken[1] as number) > second + 2;
      });
      assert.equal(woken[0], first);
    });

    it('is healthy', () => {
      assert.equal(bus.healthy, true);
    });

    // The trap: createPubSub({ repeaterBuffer }) is one buffer, and room B gets what is of room A.
    it('carries each entry of a room to all who listen to it, in order, and none of another room', async () => {
      const [roomId, otherId] = [newId('room'), newId('room')];
      const listeners = await Promise.all([listen(bus, roomId), listen(bus, roomId), listen(bus, otherId)]);
      const entries = range(1, 200).map((seq) => entryOf(roomId, seq));
      const other = entryOf(otherId, 7);
      for (const entry of [...entries, other]) bus.publish(entry);
      const expected = [entries, entries, [other]];
      await until('all is received', () => listeners.every(({ received }, i) => received.length === expected[i]?.length));
      assert.deepEqual(
        listeners.map(({ received }) => received),
        expected,
      );
    });

    it('receives what is published right after subscribing', async () => {
      for (const _ of range(1, 50)) {
        const roomId = newId('room');
        const { received, stop } = await listen(bus, roomId);
        bus.publish(entryOf(roomId));
        await until('it is received', () => received.length === 1);
        stop();
      }
    });

    it('calls no listener that has stopped, and goes on for the others', async () => {
      const roomId = newId('room');
      const leaving = await listen(bus, roomId);
      const staying = await listen(bus, roomId);
      leaving.stop();
      leaving.stop();
      bus.publish(entryOf(roomId));
      await until('it is received', () => staying.received.length === 1);
      assert.deepEqual(leaving.received, []);
      staying.stop();
      const again = await listen(bus, roomId);
      bus.publish(entryOf(roomId, 2));
      await until('it is received', () => again.received.length === 1);
      assert.equal(staying.received.length, 1);
    });

    it('does not call a listener within publish()', async () => {
      const roomId = newId('room');
      const { received } = await listen(bus, roomId);
      bus.publish(entryOf(roomId));
      assert.equal(received.length, 0);
      await until('it is received', () => received.length === 1);
    });
  });
}

describe('an entry that is published through Redis', () => {
  const roomId = newId('room');
  const events: LogEvent[] = [
    { type: 'MessageAdded', messageId: newId('message') },
    { type: 'MessageEdited', messageId: newId('message') },
    { type: 'MessageDeleted', messageId: newId('message') },
    { type: 'MemberJoined', userId: newId('user') },
    { type: 'MemberLeft', userId: newId('user') },
    { type: 'HistoryTrimmed', throughNumber: 0 },
    { type: 'RoomUpdated' },
    { type: 'RoomDeleted' },
  ];
  for (const event of events) {
    it(`stays the same: ${event.type}`, () => {
      const entry = entryOf(roomId, 5, event);
      assert.deepStrictEqual(readEntry(writeEntry(entry)), entry);
    });
  }
});

const junk = {
  'no JSON': 'not json{',
  nothing: '',
  null: 'null',
  'a number': '7',
  'an array': '[1,2,3]',
  'an object of another shape': '{"type":"MessageAdded"}',
  'an entry of an unknown type': JSON.stringify({ ...entryOf('room'), type: 'PollClosed' }),
  'an entry whose seq is text': JSON.stringify({ ...entryOf('room'), seq: '1' }),
  'an entry without the tag before it': JSON.stringify({ ...entryOf('room'), previousTag: undefined }),
  'an entry without a time': JSON.stringify({ ...entryOf('room'), at: 'yesterday' }),
  'an entry of another room': JSON.stringify(entryOf(newId('room'))),
};

describe('the bus on a Redis that fails', () => {
  let redis: RedisServer;
  let bus: RedisBus;
  let clock: ManualClock;
  let rejections: unknown[];
  const onRejection = (error: unknown) => void rejections.push(error);
  beforeEach(async () => {
    rejections = [];
    process.on('unhandledRejection', onRejection);
    redis = await startRedis();
    clock = new ManualClock();
    bus = new RedisBus(sharedRedis(redis.url), silentLog, clock);
  });
  afterEach(async () => {
    await bus[Symbol.asyncDispose]();
    redis.signal('SIGCONT');
    await redis[Symbol.asyncDispose]();
    process.off('unhandledRejection', onRejection);
    assert.deepEqual(rejections, []);
  });

  /** The clock of the bus runs several times faster than Redis has to answer. */
  const tick = () => clock.advance(100);
  const untilHealthy = (one: Bus = bus) =>
    until('the bus is healthy', async () => {
      await tick();
      return one.healthy;
    });

  // The trap: redis-event-target parses inside the listener, and one publish of `not json{` ends every node.
  for (const [what, text] of Object.entries(junk)) {
    it(`counts and drops what is published to it that is not an entry: ${what}`, async () => {
      await until('Redis is connected', () => bus.counts.reconnects === 1);
      const roomId = newId('room');
      const { received } = await listen(bus, roomId);
      await untilReceived(bus, roomId, received, tick);
      received.length = 0;
      await using client = disposable(new Redis(redis.url));
      await client.redis.publish(`gapless:a-database:room:${roomId}`, text);
      await until('it is counted', () => bus.counts.unreadable === 1);
      bus.publish(entryOf(roomId));
      await until('the next is received', () => received.some(({ seq }) => seq === 1));
      assert.equal(bus.counts.unreadable, 1);
    });
  }

  it('hears nothing of another database, neither entries nor wakes', async () => {
    await using copy = disposableBus(new RedisBus(sharedRedis(redis.url, 'copy'), silentLog, clock));
    await using other = disposableBus(new RedisBus(sharedRedis(redis.url, 'copy'), silentLog, clock));
    const roomId = newId('room');
    const [ours, theirs] = [await listen(bus, roomId), await listen(copy.bus, roomId)];
    let wakes = 0;
    copy.bus.onWake('revocations', () => (wakes += 1));
    await untilReceived(bus, roomId, ours.received, tick);
    await untilReceived(other.bus, roomId, theirs.received, tick);
    bus.publish(entryOf(roomId, 5));
    bus.wake('revocations');
    await until('the own node receives it', () => ours.received.some(({ seq }) => seq === 5));
    other.bus.publish(entryOf(roomId, 6));
    await until('the copy receives its own', () => theirs.received.some(({ seq }) => seq === 6));
    assert.ok(theirs.received.every(({ seq }) => seq !== 5));
    assert.deepEqual([wakes, copy.bus.counts.unreadable], [0, 0]);
  });

  it('follows the id of its database, which another node may have renewed', async () => {
    let databaseId = 'original';
    await using moving = disposableBus(new RedisBus({ url: redis.url, databaseId: () => databaseId }, silentLog, clock));
    await using copy = disposableBus(new RedisBus(sharedRedis(redis.url, 'copy'), silentLog, clock));
    await using original = disposableBus(new RedisBus(sharedRedis(redis.url, 'original'), silentLog, clock));
    const roomId = newId('room');
    const { received } = await listen(moving.bus, roomId);
    await untilReceived(original.bus, roomId, received, tick);
    await using client = disposable(new Redis(redis.url));
    const topics = () => client.redis.pubsub('CHANNELS', '*:room:*');
    assert.deepEqual(await topics(), [`gapless:original:room:${roomId}`]);
    databaseId = 'copy';
    await until('the topic has its new name', async () => {
      await tick();
      return (await topics()).toString() === `gapless:copy:room:${roomId}`;
    });
    received.length = 0;
    original.bus.publish(entryOf(roomId, 7));
    await untilReceived(copy.bus, roomId, received, tick);
    assert.ok(received.every(({ seq }) => seq !== 7));
  });

  // The trap: redis-event-target awaits and catches neither SUBSCRIBE nor PUBLISH.
  it('works without a Redis at the start, and recovers when there is one', async () => {
    await redis.stop();
    await using late = disposableBus(new RedisBus(sharedRedis(redis.url), silentLog, clock));
    const roomId = newId('room');
    const { received } = await listen(late.bus, roomId);
    late.bus.publish(entryOf(roomId));
    await until('the failure is counted', () => late.bus.counts.publishFailed > 0);
    assert.equal(late.bus.healthy, false);
    await redis.start();
    await untilReceived(late.bus, roomId, received, tick);
    await untilHealthy(late.bus);
  });

  it('works while Redis is killed and restarted, and receives again, also for rooms that were subscribed to meanwhile', async () => {
    await untilHealthy();
    const [before, during] = [newId('room'), newId('room')];
    const first = await listen(bus, before);
    bus.publish(entryOf(before));
    await until('it is received', () => first.received.length === 1);
    await redis.stop();
    await until('the bus is not healthy', () => !bus.healthy);
    for (const seq of range(2, 50)) bus.publish(entryOf(before, seq));
    const second = await listen(bus, during);
    await until('the failures are counted', () => bus.counts.publishFailed >= 49);
    await redis.start();
    await untilReceived(bus, before, first.received, tick);
    await untilReceived(bus, during, second.received, tick);
    await untilHealthy();
  });

  it('receives a room that is unsubscribed from and subscribed to again while Redis is away', async () => {
    await untilHealthy();
    const roomId = newId('room');
    const first = await listen(bus, roomId);
    await redis.stop();
    first.stop();
    const second = await listen(bus, roomId);
    await redis.start();
    await untilReceived(bus, roomId, second.received, tick);
    assert.deepEqual(first.received, []);
  });

  /** Moves the clock by 4.5 s, the time of three probes, and lets each of them take a round trip to a Redis that answers. */
  const runProbes = async () => {
    await using other = disposable(new Redis(process.env['REDIS_URL'] as string));
    for (const _ of range(1, 3)) {
      await clock.advance(1500);
      for (const _ of range(1, 10)) await other.redis.ping();
    }
  };

  // The trap: Redis stopped, not closed.
  it('notices within 5 s that Redis is silent, and recovers when it answers', async () => {
    await untilHealthy();
    const roomId = newId('room');
    const { received } = await listen(bus, roomId);
    await runProbes();
    assert.equal(bus.healthy, true);
    redis.signal('SIGSTOP');
    await runProbes();
    assert.equal(bus.healthy, false);
    redis.signal('SIGCONT');
    await untilReceived(bus, roomId, received, tick);
    await untilHealthy();
  });

  it('subscribes within a second although Redis is silent and the bus does not know it yet', async () => {
    await untilHealthy();
    redis.signal('SIGSTOP');
    const listening = listen(bus, newId('room'));
    await clock.advance(1000);
    assert.deepEqual((await listening).received, []);
  });

  // The trap: SUBSCRIBE sent before ioredis is ready.
  it('receives rooms that were subscribed to before Redis was ready', async () => {
    const roomIds = range(1, 1200).map(() => newId('room'));
    const listeners = await Promise.all(roomIds.map((roomId) => listen(bus, roomId)));
    await untilReceived(bus, roomIds.at(-1) as string, listeners.at(-1)?.received as LogEntry[], tick);
    for (const roomId of roomIds) bus.publish(entryOf(roomId));
    await until('every room is received', () => listeners.every(({ received }) => received.some(({ seq }) => seq === 1)));
  });

  it('is healthy as soon as Redis answers, and stays so', async () => {
    await until('the bus is healthy', () => bus.healthy);
    const roomId = newId('room');
    const { received } = await listen(bus, roomId);
    for (const seq of range(1, 20)) {
      await clock.advance(1500);
      // Published after the probe, and so received after it.
      bus.publish(entryOf(roomId, seq));
      await until('the probe has come back', () => received.length === seq);
      assert.equal(bus.healthy, true);
    }
  });

  it('notices within 5 s that Redis has vanished behind a connection that stays open, and recovers', async () => {
    await using link = await Link.open({ port: redis.port });
    await using far = disposableBus(new RedisBus(sharedRedis(`redis://127.0.0.1:${link.port}`), silentLog, clock));
    const roomId = newId('room');
    const { received } = await listen(far.bus, roomId);
    await untilHealthy(far.bus);
    await runProbes();
    assert.equal(far.bus.healthy, true);
    link.impair({ droppingAll: true });
    await runProbes();
    assert.equal(far.bus.healthy, false);
    link.impair({});
    await untilReceived(far.bus, roomId, received, tick);
  });

  it('drops connections that were accepted and never answered, and recovers when others answer', async () => {
    await using link = await Link.open({ port: redis.port });
    link.impair({ droppingAll: true });
    await using stuck = disposableBus(new RedisBus(sharedRedis(`redis://127.0.0.1:${link.port}`), silentLog, clock));
    const roomId = newId('room');
    const { received } = await listen(stuck.bus, roomId);
    await until('connections lead nowhere', () => link.counts.connections >= 2);
    assert.equal(stuck.bus.healthy, false);
    link.impair({});
    await untilReceived(stuck.bus, roomId, received, tick);
  });
});

function disposable(redis: Redis) {
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() };
}

function disposableBus(bus: RedisBus) {
  return { bus, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() };
}
