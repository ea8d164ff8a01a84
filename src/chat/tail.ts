// The changes of all rooms, as this node follows them: once for all that follow on it. The bus only wakes the node to read; a
// check every few seconds finds changes of which no wake arrived.

import type { Bus } from '../bus/bus.ts';
import { planChecks } from '../bus/checks.ts';
import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';
import { type Changes, readChanges } from '../storage/changes.ts';
import type { Moment } from '../storage/cursor.ts';
import type { Db } from '../storage/tables.ts';

/** At most one read for wakes in this time. */
const wakeIntervalMs = 50;

/** Receives the changes between the moment of the last call and `changes.moment`. Only sets state: it never throws or waits. */
export type Follower = (changes: Changes) => void;

export class Tail implements Disposable {
  readonly #db: Db;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #followers = new Set<Follower>();
  readonly #cleanup = new DisposableStack();
  #moment: Moment;
  #reading: Promise<Changes> | undefined;
  #next: Promise<Changes> | undefined;
  #plannedRead: Disposable | undefined;
  /** Counters for operators. */
  readonly counts = { reads: 0, changes: 0 };

  private constructor(db: Db, bus: Bus, moment: Moment, log: Log, clock: Clock) {
    this.#db = db;
    this.#moment = moment;
    this.#log = log;
    this.#clock = clock;
    this.#cleanup.defer(bus.onWake('changes', () => this.#planRead()));
    this.#cleanup.use(planChecks(bus, clock, () => this.#check()));
    this.#cleanup.defer(() => this.#plannedRead?.[Symbol.dispose]());
  }

  static async open(db: Db, bus: Bus, log: Log, clock: Clock = realClock): Promise<Tail> {
    return new Tail(db, bus, (await readChanges(db, undefined)).moment, log, clock);
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

  /** Resolves when followers have received everything that was committed before this call. One read runs at a time. */
  read(): Promise<Changes> {
    if (!this.#reading) return this.#readNow();
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#readNow();
      });
    return this.#next;
  }

  [Symbol.dispose](): void {
    this.#cleanup.dispose();
  }

  #readNow(): Promise<Changes> {
    const reading = this.#readOnce().finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  async #readOnce(): Promise<Changes> {
    this.counts.reads += 1;
    const changes = await readChanges(this.#db, this.#moment);
    this.#moment = changes.moment;
    this.counts.changes += changes.rooms.length + changes.memberships.length;
    for (const follower of this.#followers) follower(changes);
    return changes;
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
