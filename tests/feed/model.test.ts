// A feed against its model: whatever becomes of the bus, the log and the database, each reader was handed the log from
// where it began, or CURSOR_EXPIRED where the log does not hold what it was handed.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { GaplessError } from '../../src/errors.ts';
import type { Feed } from '../../src/feed/feed.ts';
import { LiveRooms } from '../../src/feed/live-rooms.ts';
import { openFeed } from '../../src/feed/open-feed.ts';
import { encodeCursor, newTag, type Position } from '../../src/storage/cursor.ts';
import { follows, type LogEntry } from '../../src/storage/room-log.ts';
import { isUnavailable } from '../../src/storage/unavailable.ts';
import { FickleBus } from '../support/fickle-bus.ts';
import { chooseSeed, randomFrom, shuffle } from '../support/random.ts';
import { silentLog, storages } from '../support/server.ts';
import { chatOn, createOwnedRoom, openTestStorage, range, type TestStorage } from '../support/storage.ts';
import { DatabaseLog, MemoryLog, type TestLog } from '../support/test-log.ts';

const backoff = { firstMs: 1, maxMs: 2 };
const checkIntervalMs = 2;
/** As good as never. */
const noCheckMs = 600_000;
/** By then, every reader has come to the end of a log that is there. */
const settledMs = 5_000;

const commands = [
  ...['append', 'append', 'append', 'pull', 'pull', 'wait', 'wait'],
  ...['lose', 'repeat', 'hold', 'release', 'garbage', 'subscribe', 'resume', 'disconnect', 'restore', 'trim', 'away', 'back'],
] as const;
type Command = readonly [what: (typeof commands)[number], n: number];
const command: fc.Arbitrary<Command> = fc.tuple(fc.constantFrom(...commands), fc.nat(1000));

/**
 * What may find that something was lost, and with it what the end of a run is:
 * - `head check`: it alone, as the last entry that is sent is lost.
 * - `next entry`: it alone, which is sent at the end and arrives.
 * - `newcomer`: somebody who comes as the last entry is written, and looks at the log.
 * - `none`: nothing is lost or undone, and nothing is sent at the end. What a reader misses is the feed's own doing.
 */
const remedies = ['head check', 'next entry', 'newcomer', 'none'] as const;
type Remedy = (typeof remedies)[number];
const losing: readonly Command[0][] = ['lose', 'garbage', 'restore'];

/** Somebody who watches: what they asked for and what became of it. */
class Reader {
  /** Where they resumed. Undefined: live only. */
  readonly after: Position | undefined;
  /** The head when they asked. */
  readonly headThen: Position;
  start: Position | undefined;
  readonly handed: LogEntry[] = [];
  /** Where they were told that they had caught up. */
  readonly caughtUpAt: Position[] = [];
  error: unknown;
  /** They were handed something that they could not take. */
  overfed = false;
  /** They have gone, or were sent away. */
  ended = false;
  readonly #running: Promise<unknown>;
  /** Whether they go with others while they are at the head. */
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
    return this.handed.at(-1) ?? this.start;
  }

  pull(count: number): void {
    this.#mayTake += count;
    this.#wake();
  }

  async disconnect(): Promise<void> {
    this.ended = true;
    await this.#feed?.return();
    this.#wake();
    await this.#running;
  }

  async #run(opening: Promise<Feed>): Promise<void> {
    this.#feed = await opening;
    this.start = this.#feed.position;
    if (this.ended) await this.#feed.return();
    while (!this.ended) {
      while (this.#mayTake <= 0 && !this.ended) await new Promise<void>((resolve) => (this.#wake = resolve));
      const following = this.#follows ? this.#feed.follow('everything', executeAll, this.#sink()) : undefined;
      if (following) {
        await following;
        continue;
      }
      const { done, value } = await this.#feed.next();
      if (done) return;
      if (value.type === 'CaughtUp') this.caughtUpAt.push({ seq: value.seq, tag: value.tag });
      else this.handed.push(value);
      this.#mayTake -= 1;
    }
  }

  #sink() {
    const reader = this;
    return {
      get ready() {
        return reader.#mayTake > 0 && !reader.ended;
      },
      get open() {
        return !reader.ended;
      },
      drained: async () => {},
      write(entry: LogEntry) {
        if (!this.ready) reader.overfed = true;
        reader.handed.push(entry);
        reader.#mayTake -= 1;
      },
    };
  }
}

/** What comes of an entry is the entry, a moment later; of every seventh each has to find out alone, and every eleventh fails. */
async function executeAll(entries: readonly LogEntry[]): Promise<readonly (LogEntry | undefined)[]> {
  await turn();
  if (entries.some(({ seq }) => seq % 11 === 0)) throw new Error('It cannot be executed for all of them.');
  return entries.map((entry) => (entry.seq % 7 === 0 ? undefined : entry));
}

/** What a bus hands over that nobody has sent: ahead of all, of another history, or out of place in this one. */
function garbage(entry: LogEntry, n: number): LogEntry {
  const forged = { ...entry, tag: newTag(), previousTag: newTag() };
  return [{ ...forged, seq: entry.seq + 1 + n }, forged, { ...forged, seq: Math.max(1, entry.seq - (n % 5)) }][n % 3] as LogEntry;
}

/** Runs the commands, lets everything heal, and compares each reader with the log. */
async function run(log: TestLog, remedy: Remedy, steps: readonly Command[]): Promise<void> {
  const bus = new FickleBus();
  bus.healthy = false;
  const options = { backoff, checkIntervalMs: remedy === 'head check' ? checkIntervalMs : noCheckMs };
  const liveRooms = new LiveRooms(log.source, bus, silentLog, options);
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
    // From anywhere that ever was, also what was undone or trimmed since.
    resume: (n) => open([floor, ...written][n % (written.length + 1)]),
    disconnect: (_, reader) => void reader?.disconnect(),
    restore: async (n) => {
      await log.undo(1 + (n % 6));
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
    // The last is written while they read.
    for (let i = 0; i < steps.length % 5; i += 1) await turn();
    if (remedy !== 'none') publish(await log.append(1));
    const truth = await log.readAll();
    await settled(readers, truth.entries.at(-1) ?? truth.floor);
    for (const reader of readers) assertTrue(reader, truth, [floor, ...written]);
  } finally {
    await Promise.all(readers.map((reader) => reader.disconnect()));
    await liveRooms[Symbol.asyncDispose]();
  }
  assert.equal(liveRooms.size, 0, 'a live room is left behind');
}

async function settled(readers: readonly Reader[], end: Position): Promise<void> {
  const deadline = performance.now() + settledMs;
  const isDone = (reader: Reader) => reader.ended || (reader.position?.tag === end.tag && reader.caughtUpAt.length > 0);
  while (!readers.every(isDone)) {
    if (performance.now() > deadline) {
      const late = readers.filter((reader) => !isDone(reader)).map(({ position }) => position?.seq);
      throw new Error(`Readers stay at ${late.join(', ')} and do not come to ${end.seq}.`);
    }
    await sleep(1);
  }
}

/** The oracle: the log, and all that was ever written. What the log does not hold now, it never will again. */
function assertTrue(reader: Reader, truth: Awaited<ReturnType<TestLog['readAll']>>, ever: readonly Position[]): void {
  const tags = new Set([truth.floor, ...truth.entries].map(({ tag }) => tag));
  const holds = ({ tag }: Position) => tags.has(tag);
  const { start, after, error } = reader;
  if (start === undefined) {
    if (error === undefined || isUnavailable(error)) return;
    assert.equal((error as GaplessError).code, 'CURSOR_EXPIRED', String(error));
    assert.ok(after && !holds(after), 'a cursor that the log holds was refused');
    return;
  }
  if (after) assert.equal(start.tag, after.tag, 'it began elsewhere than asked for');
  else if (holds(reader.headThen)) assert.ok(start.seq >= reader.headThen.seq, 'it began in the past');
  let position = start;
  for (const entry of reader.handed) {
    assert.ok(follows(entry, position), `${entry.seq} was handed over behind ${position.seq}`);
    assert.ok(ever.includes(entry) || ever.some(({ tag, seq }) => tag === entry.tag && seq === entry.seq), 'it was handed what never was');
    position = entry;
  }
  assert.ok(!reader.overfed, 'it was handed more than it could take');
  assert.ok(reader.caughtUpAt.length <= 1, 'it was told twice that it had caught up');
  const [caughtUp] = reader.caughtUpAt;
  if (caughtUp && holds(caughtUp) && holds(reader.headThen)) assert.ok(caughtUp.seq >= reader.headThen.seq, 'it had not caught up');
  if (error === undefined) return;
  assert.equal((error as GaplessError).code, 'CURSOR_EXPIRED', String(error));
  assert.ok(!holds(position), 'it was ended, and could have gone on');
}

/** So many runs, several at a time: most of a run is spent waiting. */
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
