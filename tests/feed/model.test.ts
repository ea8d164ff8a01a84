// A feed against its model: whatever happens to the bus, the log and the database, each reader receives the log from where
// it began, or CURSOR_EXPIRED if the log does not hold what it received.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { badInput, type GaplessError, isFinal } from '../../src/errors.ts';
import type { Delivery, Sink } from '../../src/feed/delivery.ts';
import type { Feed } from '../../src/feed/feed.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor, newTag, type Position } from '../../src/storage/cursor.ts';
import { follows, type LogEntry } from '../../src/storage/room-log.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { chooseSeed, randomFrom, shuffle } from '../support/random.ts';
import { retryFor } from '../support/retry.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';
import { DatabaseLog, MemoryLog, type TestLog } from '../support/test-log.ts';

const backoff = { firstMs: 1, maxMs: 2 };
const checkIntervalMs = 2;
/** Practically never. */
const noCheckMs = 600_000;
/** Within this time, every reader reaches the end of a log that can be read. */
const settledMs = 5_000;

const commands = [
  ...['append', 'append', 'append', 'pull', 'pull', 'wait', 'wait'],
  ...['lose', 'repeat', 'hold', 'release', 'garbage', 'subscribe', 'resume', 'disconnect', 'restore', 'trim', 'away', 'back'],
] as const;
type Command = readonly [what: (typeof commands)[number], n: number];
const command: fc.Arbitrary<Command> = fc.tuple(fc.constantFrom(...commands), fc.nat(1000));

/**
 * What may detect that something was lost, and how a run ends:
 * - `head check`: only the head check. The last entry is lost.
 * - `next entry`: only the next entry. It is sent at the end, and arrives.
 * - `newcomer`: a subscriber that opens while the last entry is written, and reads the log.
 * - `none`: nothing is lost or rolled back, and nothing is sent at the end. What a reader misses is a fault of the feed.
 */
const remedies = ['head check', 'next entry', 'newcomer', 'none'] as const;
type Remedy = (typeof remedies)[number];
const losing: readonly Command[0][] = ['lose', 'garbage', 'restore'];

/** A subscriber: its request, and what it received. */
class Reader {
  /** The position after which it resumed. Undefined: live only. */
  readonly after: Position | undefined;
  /** The head at the time of the request. */
  readonly headThen: Position;
  start: Position | undefined;
  readonly delivered: LogEntry[] = [];
  /** The positions at which it received CaughtUp. */
  readonly caughtUpAt: Position[] = [];
  error: unknown;
  /** Whether it received a delivery while it was not ready. */
  overfed = false;
  /** Whether it has disconnected or its feed has ended. */
  ended = false;
  readonly #running: Promise<unknown>;
  /** Whether it joins the group while it is at the head. */
  readonly #follows: boolean;
  #feed: Feed | undefined;
  #mayTake = 0;
  #wake: () => void = () => {};

  constructor(after: Position | undefined, headThen: Position, follows: boolean, opening: Promise<Feed>) {
    this.after = after;
    this.headThen = headThen;
    this.#follows = follows;
    this.#running = this.#run(opening)
      .catch((error) => (this.error = error))
      .finally(() => (this.ended = true));
  }

  get position(): Position | undefined {
    return this.delivered.at(-1) ?? this.start;
  }

  pull(count: number): void {
    this.#mayTake += count;
    this.#wake();
  }

  async disconnect(): Promise<void> {
    this.ended = true;
    this.#feed?.stop();
    this.#wake();
    await this.#running;
  }

  async #run(opening: Promise<Feed>): Promise<void> {
    this.#feed = await opening;
    this.start = this.#feed.position;
    if (this.ended) this.#feed.stop();
    const shared = this.#follows ? { key: 'everything', execute: executeAll } : undefined;
    await this.#feed.run<Delivery>({ shared, execute: async (deliveries) => deliveries }, this.#sink());
  }

  #sink(): Sink<Delivery> {
    const reader = this;
    return {
      get open() {
        return !reader.ended;
      },
      get ready() {
        return reader.#mayTake > 0 && !reader.ended;
      },
      drained: () => new Promise((resolve) => (this.#wake = resolve)),
      write(delivery) {
        if (!this.ready) reader.overfed = true;
        if (delivery.type === 'CaughtUp') reader.caughtUpAt.push({ seq: delivery.seq, tag: delivery.tag });
        else reader.delivered.push(delivery);
        reader.#mayTake -= 1;
      },
    };
  }
}

/** Resolves each entry with itself, one turn later. Every seventh entry is executed alone, and every eleventh fails for all. */
async function executeAll(entries: readonly LogEntry[]): Promise<readonly (LogEntry | undefined)[]> {
  await turn();
  if (entries.some(({ seq }) => seq % 11 === 0)) throw badInput('The entries cannot be executed together.');
  return entries.map((entry) => (entry.seq % 7 === 0 ? undefined : entry));
}

/** An entry that nobody has sent: after the head, with another tag, or at a wrong seq. */
function garbage(entry: LogEntry, n: number): LogEntry {
  const forged = { ...entry, tag: newTag(), previousTag: newTag() };
  return [{ ...forged, seq: entry.seq + 1 + n }, forged, { ...forged, seq: Math.max(1, entry.seq - (n % 5)) }][n % 3] as LogEntry;
}

/** Runs the commands, ends all faults, and compares each reader with the log. */
async function run(log: TestLog, remedy: Remedy, steps: readonly Command[]): Promise<void> {
  const bus = new FickleBus();
  bus.healthy = false;
  const options = { checkIntervalMs: remedy === 'head check' ? checkIntervalMs : noCheckMs };
  const liveRooms = new LiveRooms(log.source, bus, retryFor({ backoff }), silentLog, options);
  const { floor } = await log.readAll();
  const written: LogEntry[] = [];
  const readers: Reader[] = [];
  let head: Position = floor;
  const publish = (entries: readonly LogEntry[]) => {
    written.push(...entries);
    head = entries.at(-1) ?? head;
    for (const entry of entries) bus.publish(entry);
  };
  const open = (after?: Position) => {
    const cursor = after && encodeCursor(log.roomId, after);
    const watch = { roomId: log.roomId, viewerId: log.viewerId, after: cursor, wants: () => true };
    readers.push(new Reader(after, head, readers.length % 3 > 0, openFeed(liveRooms, watch)));
  };
  const does: Record<Command[0], (n: number, reader: Reader | undefined) => unknown> = {
    append: async (n) => publish(await log.append(1 + (n % 3))),
    pull: (n, reader) => reader?.pull(1 + (n % 4)),
    wait: (n) => (n % 4 === 0 ? sleep(checkIntervalMs) : turn()),
    lose: () => bus.lose(),
    repeat: () => bus.repeat(2),
    hold: () => bus.hold(),
    release: (n) => bus.release((held) => shuffle([...held, ...held.slice(0, n % 3)], randomFrom(n))),
    garbage: (n) => {
      bus.deliver = (entry, send) => send(garbage(entry, n));
    },
    subscribe: () => open(),
    // From any position that ever existed, including positions that were rolled back or trimmed since.
    resume: (n) => open([floor, ...written][n % (written.length + 1)]),
    disconnect: (_, reader) => void reader?.disconnect(),
    restore: async (n) => {
      await log.rollBack(1 + (n % 6));
      head = (await log.readAll()).entries.at(-1) ?? (await log.readAll()).floor;
    },
    trim: async (n) => publish(await log.trim(1 + (n % 4))),
    away: () => (log.away = true),
    back: () => (log.away = false),
  };
  try {
    for (const [what, n] of steps) {
      if (remedy === 'none' && losing.includes(what)) continue;
      await does[what](n, readers[n % Math.max(1, readers.length)]);
    }
    log.away = false;
    bus.release();
    if (remedy === 'head check') bus.lose();
    if (remedy === 'newcomer') open(written.at(-3));
    for (const reader of readers) reader.pull(Infinity);
    // The last entry is written while the readers read.
    for (let i = 0; i < steps.length % 5; i += 1) await turn();
    if (remedy !== 'none') publish(await log.append(1));
    const truth = await log.readAll();
    await settled(readers, truth.entries.at(-1) ?? truth.floor);
    for (const reader of readers) assertTrue(reader, truth, [floor, ...written]);
  } finally {
    await Promise.all(readers.map((reader) => reader.disconnect()));
    await liveRooms[Symbol.asyncDispose]();
  }
  assert.equal(liveRooms.size, 0, 'a live room was not closed');
}

async function settled(readers: readonly Reader[], end: Position): Promise<void> {
  const deadline = performance.now() + settledMs;
  const isDone = (reader: Reader) => reader.ended || (reader.position?.tag === end.tag && reader.caughtUpAt.length > 0);
  while (!readers.every(isDone)) {
    if (performance.now() > deadline) {
      const late = readers.filter((reader) => !isDone(reader)).map(({ position }) => position?.seq);
      throw new Error(`Readers stay at ${late.join(', ')} and do not reach ${end.seq}.`);
    }
    await sleep(1);
  }
}

/** The oracle is the log, and all entries that were ever written. An entry that the log does not hold now never comes back. */
function assertTrue(reader: Reader, truth: Awaited<ReturnType<TestLog['readAll']>>, ever: readonly Position[]): void {
  const tags = new Set([truth.floor, ...truth.entries].map(({ tag }) => tag));
  const holds = ({ tag }: Position) => tags.has(tag);
  const { start, after, error } = reader;
  if (start === undefined) {
    if (error === undefined || !isFinal(error)) return;
    assert.equal((error as GaplessError).code, 'CURSOR_EXPIRED', String(error));
    assert.ok(after && !holds(after), 'a cursor that the log holds was refused');
    return;
  }
  if (after) assert.equal(start.tag, after.tag, 'it did not begin at its cursor');
  else if (holds(reader.headThen)) assert.ok(start.seq >= reader.headThen.seq, 'it began before the head');
  let position = start;
  for (const entry of reader.delivered) {
    assert.ok(follows(entry, position), `${entry.seq} was delivered after ${position.seq}`);
    assert.ok(
      ever.includes(entry) || ever.some(({ tag, seq }) => tag === entry.tag && seq === entry.seq),
      'it received an entry that was never written',
    );
    position = entry;
  }
  assert.ok(!reader.overfed, 'it received more than it was ready for');
  assert.ok(reader.caughtUpAt.length <= 1, 'it received CaughtUp twice');
  const [caughtUp] = reader.caughtUpAt;
  if (caughtUp && holds(caughtUp) && holds(reader.headThen))
    assert.ok(caughtUp.seq >= reader.headThen.seq, 'it received CaughtUp too early');
  if (error === undefined) return;
  assert.equal((error as GaplessError).code, 'CURSOR_EXPIRED', String(error));
  assert.ok(!holds(position), 'it was ended although the log holds its position');
}

/** Runs several at a time, because a run mostly waits. */
async function check(numRuns: number, maxSteps: number, open: () => Promise<TestLog>): Promise<void> {
  const seed = chooseSeed('the model of a feed');
  const atOnce = 8;
  const steps = fc.array(command, { minLength: 5, maxLength: maxSteps, size: 'max' });
  const property = fc.asyncProperty(fc.constantFrom(...remedies), steps, async (remedy, sequence) => run(await open(), remedy, sequence));
  await Promise.all(range(1, atOnce).map((i) => fc.assert(property, { seed: seed + i, numRuns: numRuns / atOnce })));
}

describe('a feed and its model', () => {
  it('agree over 4,000 runs', { timeout: 120_000 }, () => check(4000, 80, async () => new MemoryLog()));

  for (const name of storages) {
    describe(`on ${name}`, () => {
      let opened: TestStorage;
      before(async () => {
        opened = await openTestStorage(name);
      });
      after(() => opened[Symbol.asyncDispose]());

      it('agree over 24 runs', { timeout: 120_000 }, () =>
        check(24, 30, async () => new DatabaseLog(opened.db, opened.storage.feedDb, await createOwnedRoom(chatOn(opened.db)))),
      );
    });
  }
});
