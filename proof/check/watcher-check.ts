// What one watcher was handed, over all its streams, held against the log: a slice of it without a seam, from where the
// watcher began to the end, or to the entry that took its right.

import type { FinalEntry, Watching } from '../history.ts';
import type { RoomCheck } from './room-check.ts';
import type { Away, Timeline } from './timeline.ts';
import type { Findings } from './verdicts.ts';

type Line<Type extends Watching['type']> = Extract<Watching, { type: Type }>;

export class WatcherCheck {
  readonly #name: string;
  readonly #room: RoomCheck;
  readonly #viewer: string;
  readonly #findings: Findings;
  readonly #timeline: Timeline;
  /** The place in the log where it began, and the one behind the furthest that it was handed. */
  readonly #begin: number;
  #next: number;
  /** What was passed over and has not come yet. */
  readonly #missing = new Set<number>();
  /** What came though it lies in front of where the watcher began. */
  readonly #early = new Set<number>();
  readonly #aways: Away[] = [];
  #openedAt = -Infinity;
  #endedAt: number | undefined = -Infinity;
  #ended: Line<'end'>['how'] | undefined;

  constructor(first: Line<'open'>, room: RoomCheck, findings: Findings, timeline: Timeline) {
    this.#name = `Watcher ${first.watcher} of ${room.id}`;
    this.#room = room;
    this.#viewer = first.viewer;
    this.#findings = findings;
    this.#timeline = timeline;
    // What is not in the log is the position in front of it.
    this.#begin = this.#next = (room.placeOf(first.after) ?? -1) + 1;
  }

  open({ at }: Line<'open'>): void {
    if (this.#endedAt !== undefined) this.#aways.push({ from: this.#endedAt, until: at });
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

  /** `roomOf` tells which room a cursor is of. */
  event(line: Line<'event'>, roomOf: (cursor: string) => string | undefined): void {
    const place = this.#room.log[this.#next]?.cursor === line.cursor ? this.#next : this.#room.placeOf(line.cursor);
    const of = place === undefined ? roomOf(line.cursor) : this.#room.id;
    if (line.room !== this.#room.id || (of !== undefined && of !== this.#room.id))
      this.#add('leaked', line.at, () => `was handed ${line.event} of ${of ?? line.room}`);
    else if (line.event === 'CaughtUp') this.#catchUp(line, place);
    else if (place === undefined)
      this.#add('phantom', line.at, () => `was handed ${line.event} at ${line.cursor}, which the log does not hold`);
    else {
      this.#compare(place, line);
      if (this.#hasNoRight(place)) this.#add('leaked', line.at, () => `was handed ${this.#tell(place)} after losing the right to it`);
      if (this.#move(place, line.at)) this.#time(place, line.at);
    }
  }

  /** Everything has been handed over that will be: what is missing was never seen. */
  finish(): void {
    const missing = [...this.#missing];
    for (let place = this.#next; place < this.#owedUntil(); place += 1) missing.push(place);
    const [first] = missing;
    if (first === undefined) return;
    const acked = missing.map((place) => this.#room.ackedAt[place] as number).find((at) => !Number.isNaN(at));
    this.#add('unseen', acked, () => `was not handed ${missing.length} entries, the first ${this.#tell(first)}`, missing.length);
  }

  /** Moves behind the entry. False where it is no news. */
  #move(place: number, at: number): boolean {
    if (place >= this.#next) {
      for (let passed = this.#next; passed < place; passed += 1) {
        this.#missing.add(passed);
        this.#add('skipped', at, () => `was not handed ${this.#tell(passed)} before ${this.#tell(place)}`);
      }
      this.#next = place + 1;
      return true;
    }
    const early = place < this.#begin && !this.#early.has(place);
    if (early) this.#early.add(place);
    if (early || this.#missing.delete(place)) {
      this.#add('outOfOrder', at, () => `was handed ${this.#tell(place)} behind ${this.#tell(this.#next - 1)}`);
      return !early;
    }
    this.#add('duplicated', at, () => `was handed ${this.#tell(place)} again`);
    return false;
  }

  // It has the position that the watcher is at: whoever resumes with it would otherwise pass something over, or have it again.
  #catchUp({ at, cursor }: Line<'event'>, place = -1): void {
    const here = this.#next - 1;
    if (place === here) return;
    const verdict = place > here ? 'skipped' : place < 0 ? 'phantom' : 'outOfOrder';
    this.#add(verdict, at, () => `was told at ${cursor} (entry ${place + 1}) that it has caught up, at entry ${here + 1}`);
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
    const told = JSON.stringify({ event: line.event, userId: line.userId, message: seen, error: line.error }).slice(0, 200);
    this.#add('differing', line.at, () => `was handed ${told} where the log has ${this.#tell(place)}`);
  }

  // One that was given back is no leak to whoever asks again: only a stream that is older than the entry should have ended.
  #hasNoRight(place: number): boolean {
    return this.#room
      .rightless(this.#viewer)
      .some(
        ({ left, back }) => left < place && place < back && (back === Infinity || (this.#room.invokedAt[place] as number) > this.#openedAt),
      );
  }

  #time(place: number, at: number): void {
    const acked = this.#room.ackedAt[place] as number;
    if (!(at > acked)) return;
    const from = acked >= this.#openedAt ? acked : (this.#aways.find((away) => away.from <= acked && acked < away.until)?.until ?? acked);
    if (this.#timeline.isLate(from, at, this.#aways))
      this.#add('late', at, () => `was handed ${this.#tell(place)} ${Math.round(at - from)} ms after it could have been`);
  }

  /** The place up to which it must have been handed everything. */
  #owedUntil(): number {
    const { log } = this.#room;
    const rightless = this.#room.rightless(this.#viewer);
    const last = rightless.at(-1);
    if (this.#ended === 'stopped') return this.#next;
    // Who comes back without the right is refused, wherever they had got to.
    if (this.#ended === 'error' && rightless.some(({ back }) => back >= this.#next)) return this.#next;
    // Behind the entry that takes the right the server completes the stream, whatever comes of them later.
    if (this.#ended === 'complete' && rightless.some(({ left }) => left === this.#next - 1)) return this.#next;
    return last?.back === Infinity ? last.left + 1 : log.length;
  }

  #tell(place: number): string {
    const { event, message, userId } = this.#room.log[place] as FinalEntry;
    const what = message ? ` of message ${message.number}` : userId === undefined ? '' : ` of ${userId}`;
    return `${event}${what} (entry ${place + 1})`;
  }

  #add(verdict: Parameters<Findings['add']>[0], at: number | undefined, what: () => string, count = 1): void {
    this.#findings.add(verdict, at, () => `${this.#name} ${what()}.`, count);
  }
}
