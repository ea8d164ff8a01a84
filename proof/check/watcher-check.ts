// Compares what one watcher received over all its streams with the log: every entry from where the watcher began to the
// end, or to the entry that ended its right, once and in order.

import type { FinalEntry, Watching } from '../history.ts';
import type { RoomCheck } from './room-check.ts';
import type { Absence, Timeline } from './timeline.ts';
import type { Findings } from './verdicts.ts';

type Line<Type extends Watching['type']> = Extract<Watching, { type: Type }>;

export class WatcherCheck {
  readonly #name: string;
  readonly #room: RoomCheck;
  readonly #viewer: string;
  readonly #findings: Findings;
  readonly #timeline: Timeline;
  readonly #signedOut: ReadonlyMap<string, number>;
  /** The place in the log where it began, and the one after the last that it received. */
  readonly #begin: number;
  #next: number;
  /** Entries that were skipped and have not arrived since. */
  readonly #missing = new Set<number>();
  /** Entries that arrived although they are before the place where the watcher began. */
  readonly #early = new Set<number>();
  readonly #absences: Absence[] = [];
  #openedAt = -Infinity;
  #endedAt: number | undefined = -Infinity;
  #ended: Line<'end'>['how'] | undefined;

  constructor(
    first: Line<'open'>,
    room: RoomCheck,
    findings: Findings,
    timeline: Timeline,
    signedOut: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#name = `Watcher ${first.watcher} of ${room.id}`;
    this.#room = room;
    this.#viewer = first.viewer;
    this.#findings = findings;
    this.#timeline = timeline;
    this.#signedOut = signedOut;
    // A cursor that is not in the log is the position before it.
    this.#begin = this.#next = (room.placeOf(first.after) ?? -1) + 1;
  }

  open({ at }: Line<'open'>): void {
    if (this.#endedAt !== undefined) this.#absences.push({ from: this.#endedAt, until: at });
    this.#openedAt = at;
    this.#endedAt = undefined;
    this.#ended = undefined;
  }

  end({ at, how }: Line<'end'>): void {
    this.#endedAt = at;
    this.#ended = how;
  }

  stray({ at, event, cursor }: Line<'stray'>): void {
    this.#add('stray', at, () => `received ${event} at ${cursor} on a subscription that it had completed`);
  }

  /** `roomOf` returns the room of a cursor. */
  event(line: Line<'event'>, roomOf: (cursor: string) => string | undefined): void {
    const place = this.#room.log[this.#next]?.cursor === line.cursor ? this.#next : this.#room.placeOf(line.cursor);
    const of = place === undefined ? roomOf(line.cursor) : this.#room.id;
    if (line.room !== this.#room.id || (of !== undefined && of !== this.#room.id))
      this.#add('leaked', line.at, () => `received ${line.event} of ${of ?? line.room}`);
    else if (line.event === 'CaughtUp') this.#catchUp(line, place);
    else if (place === undefined) this.#add('phantom', line.at, () => `received ${line.event} at ${line.cursor}, which is not in the log`);
    else {
      this.#compare(place, line);
      if (this.#hasNoRight(place)) this.#add('leaked', line.at, () => `received ${this.#describe(place)} after losing the right to it`);
      if ((this.#room.invokedAt[place] as number) > (this.#signedOut.get(this.#viewer) ?? Infinity))
        this.#add('leaked', line.at, () => `received ${this.#describe(place)} after its session was signed out`);
      if (this.#move(place, line.at)) this.#time(place, line.at);
    }
  }

  /** Nothing more will be delivered: what is missing was never received. */
  finish(): void {
    const missing = [...this.#missing];
    for (let place = this.#next; place < this.#expectedUntil(); place += 1) missing.push(place);
    const [first] = missing;
    if (first === undefined) return;
    const acked = missing.map((place) => this.#room.ackedAt[place] as number).find((at) => !Number.isNaN(at));
    this.#add('unseen', acked, () => `did not receive ${missing.length} entries, the first ${this.#describe(first)}`, missing.length);
  }

  /** Moves to after the entry. False if it was received before. */
  #move(place: number, at: number): boolean {
    if (place >= this.#next) {
      for (let passed = this.#next; passed < place; passed += 1) {
        this.#missing.add(passed);
        this.#add('skipped', at, () => `did not receive ${this.#describe(passed)} before ${this.#describe(place)}`);
      }
      this.#next = place + 1;
      return true;
    }
    const early = place < this.#begin && !this.#early.has(place);
    if (early) this.#early.add(place);
    if (early || this.#missing.delete(place)) {
      this.#add('outOfOrder', at, () => `received ${this.#describe(place)} after ${this.#describe(this.#next - 1)}`);
      return !early;
    }
    this.#add('duplicated', at, () => `received ${this.#describe(place)} again`);
    return false;
  }

  // CaughtUp must have the position of the watcher. Resuming from another one would skip or repeat entries.
  #catchUp({ at, cursor }: Line<'event'>, place = -1): void {
    const here = this.#next - 1;
    if (place === here) return;
    const verdict = place > here ? 'skipped' : place < 0 ? 'phantom' : 'outOfOrder';
    this.#add(verdict, at, () => `received CaughtUp at ${cursor} (entry ${place + 1}), but is at entry ${here + 1}`);
  }

  #compare(place: number, line: Line<'event'>): void {
    const { event, userId, message } = this.#room.log[place] as FinalEntry;
    const seen = line.message;
    const alike =
      line.error === undefined &&
      event === line.event &&
      userId === line.userId &&
      seen?.id === message?.id &&
      seen?.number === message?.number &&
      (!seen || !message || this.#room.mayRead(place, seen, message.body, this.#viewer));
    if (alike) return;
    const received = JSON.stringify({ event: line.event, userId: line.userId, message: seen, error: line.error }).slice(0, 200);
    this.#add('differing', line.at, () => `received ${received} where the log has ${this.#describe(place)}`);
  }

  // A restored right allows a new stream to deliver entries from the time without it. A stream that is older than the entry
  // should have ended.
  #hasNoRight(place: number): boolean {
    return this.#room
      .spansWithoutRight(this.#viewer)
      .some(
        ({ left, back }) => left < place && place < back && (back === Infinity || (this.#room.invokedAt[place] as number) > this.#openedAt),
      );
  }

  #time(place: number, at: number): void {
    const acked = this.#room.ackedAt[place] as number;
    if (!(at > acked)) return;
    const from =
      acked >= this.#openedAt ? acked : (this.#absences.find((absence) => absence.from <= acked && acked < absence.until)?.until ?? acked);
    if (this.#timeline.isLate(from, at, this.#absences))
      this.#add('late', at, () => `received ${this.#describe(place)} ${Math.round(at - from)} ms after it could have been`);
  }

  /** The place up to which it must have received everything. */
  #expectedUntil(): number {
    const { log } = this.#room;
    const spansWithoutRight = this.#room.spansWithoutRight(this.#viewer);
    const last = spansWithoutRight.at(-1);
    if (this.#ended === 'stopped' || (this.#ended === 'error' && this.#signedOut.has(this.#viewer))) return this.#next;
    // A watcher that reconnects without the right is refused, whatever its position.
    if (this.#ended === 'error' && spansWithoutRight.some(({ back }) => back >= this.#next)) return this.#next;
    // The server completes the stream after the entry that ends the right, even if the right is restored later.
    if (this.#ended === 'complete' && spansWithoutRight.some(({ left }) => left === this.#next - 1)) return this.#next;
    return last?.back === Infinity ? last.left + 1 : log.length;
  }

  #describe(place: number): string {
    const { event, message, userId } = this.#room.log[place] as FinalEntry;
    const what = message ? ` of message ${message.number}` : userId === undefined ? '' : ` of ${userId}`;
    return `${event}${what} (entry ${place + 1})`;
  }

  #add(verdict: Parameters<Findings['add']>[0], at: number | undefined, what: () => string, count = 1): void {
    this.#findings.add(verdict, at, () => `${this.#name} ${what()}.`, count);
  }
}
