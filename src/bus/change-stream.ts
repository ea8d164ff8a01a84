// The changes of all rooms, memberships, users and sessions, as this node reads them: once for all that follow on it. The bus only
// wakes the node to read; a check every few seconds finds changes of which no wake arrived.

import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';
import { type Changes, keptMs, readChanges } from '../storage/changes.ts';
import type { Moment } from '../storage/cursor.ts';
import { isKept, readEpochs } from '../storage/epochs.ts';
import type { Db } from '../storage/tables.ts';
import type { Bus } from './bus.ts';
import { planChecks } from './checks.ts';
import { oneAtATime } from './one-at-a-time.ts';

/** At most one read for wakes in this time. */
const wakeIntervalMs = 50;

/** The changes between two reads. */
export interface NewChanges extends Changes {
  /** The moment of the read before: every change up to it was received. */
  readonly after: Moment;
  /** False if changes may be missing: the database was rolled back, or the node was away for longer than changes are kept. */
  readonly complete: boolean;
}

/** Receives the changes since the last call. Only sets state: it never throws or waits. */
export type Follower = (changes: NewChanges) => void;

export class ChangeStream implements Disposable {
  readonly #db: Db;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #followers = new Set<Follower>();
  /** How many want a read at each wake for changes of rooms. Without any, checks and revocations are enough. */
  #eager = 0;
  readonly #cleanup = new DisposableStack();
  #moment: Moment;
  #plannedRead: Disposable | undefined;
  /** Counters for operators: reads, changes read, and reads after which changes may be missing. */
  readonly counts = { reads: 0, changes: 0, incomplete: 0 };

  private constructor(db: Db, bus: Bus, moment: Moment, log: Log, clock: Clock) {
    this.#db = db;
    this.#moment = moment;
    this.#log = log;
    this.#clock = clock;
    this.#cleanup.defer(bus.onWake('changes', () => this.#eager > 0 && this.#planRead()));
    this.#cleanup.defer(bus.onWake('revocations', () => this.#planRead()));
    this.#cleanup.use(planChecks(bus, clock, () => this.#check()));
    this.#cleanup.defer(() => this.#plannedRead?.[Symbol.dispose]());
  }

  static async open(db: Db, bus: Bus, log: Log, clock: Clock = realClock): Promise<ChangeStream> {
    return new ChangeStream(db, bus, (await readChanges(db, undefined)).moment, log, clock);
  }

  /** The moment of the newest read. */
  get moment(): Moment {
    return this.#moment;
  }

  /** Calls `follower` with all changes from now on. */
  follow(follower: Follower): Disposable {
    this.#followers.add(follower);
    return { [Symbol.dispose]: () => this.#followers.delete(follower) };
  }

  /** Until it is disposed, each wake is followed by a read. */
  watchRooms(): Disposable {
    this.#eager += 1;
    return { [Symbol.dispose]: () => (this.#eager -= 1) };
  }

  /** Resolves when followers have received everything that was committed before this call. One read runs at a time. */
  readonly read = oneAtATime(() => this.#readOnce());

  [Symbol.dispose](): void {
    this.#cleanup.dispose();
  }

  async #readOnce(): Promise<void> {
    this.counts.reads += 1;
    const after = this.#moment;
    const changes = await readChanges(this.#db, after);
    const complete = await this.#isComplete(after, changes.moment);
    this.#moment = changes.moment;
    this.counts.changes += changes.rooms.length + changes.memberships.length;
    if (!complete) this.counts.incomplete += 1;
    for (const follower of this.#followers) follower({ ...changes, after, complete });
  }

  async #isComplete(after: Moment, now: Moment): Promise<boolean> {
    if ((now.atSeconds - after.atSeconds) * 1000 >= keptMs) return false;
    if (after.epoch === now.epoch) return true;
    return isKept(await readEpochs(this.#db), after) === true;
  }

  #planRead(): void {
    this.#plannedRead ??= this.#clock.after(wakeIntervalMs, () => {
      this.#plannedRead = undefined;
      void this.#check();
    });
  }

  /** False if it failed. */
  async #check(): Promise<boolean> {
    try {
      await this.read();
      return true;
    } catch (error) {
      logOccasionally(this.#log, 'warn', error, 'could not read what changed; the next check retries', this.#clock.now());
      return false;
    }
  }
}
