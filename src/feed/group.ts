// The subscribers at the head of a room with the same operation and variables. Each entry is executed once for all of them,
// and its result is written to each. A subscriber whose sink is not ready continues alone, from its own position.

import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { isFinal } from '../errors.ts';
import { type Position, samePosition } from '../storage/cursor.ts';
import { endsRoom } from '../storage/entry-types.ts';
import type { LogEntry } from '../storage/room-log.ts';

/** Maximum number of entries that are executed together. One query loads their rows. */
export const maxTogether = 64;
/**
 * A delivery that took at least this long is followed by a pause of the same length. Clients that answer it send at once, and
 * the first of their messages is committed alone. After the pause it is written together with the others.
 */
const pauseMs = 2;

/** The execution for all members of a group. */
export interface GroupOperation<Result> {
  readonly wants: (type: LogEntry['type']) => boolean;
  /** Executes the entries, with retries while the results are wanted. Undefined for an entry that each member executes alone. */
  readonly execute: (entries: readonly LogEntry[], wanted: () => boolean) => Promise<readonly (Result | undefined)[]>;
}

export interface Member<Result> {
  /**
   * Delivers an entry, with its result if the member wants it. Does nothing if the entry was delivered before. False if the
   * member cannot receive it; the member then leaves the group.
   */
  deliver(entry: LogEntry, result: Result | undefined): boolean;
  /** Called when the member has left the group. With an error, the member cannot continue alone either. */
  onLeft(error?: unknown): void;
}

/** The part of a live room that a group reads. */
export interface Tail {
  readonly head: Position | undefined;
  readonly epoch: number;
  entryAfter(position: Position): LogEntry | undefined;
  onChange(wake: () => void): () => void;
}

export class Group<Result> {
  readonly #room: Tail;
  readonly #operation: GroupOperation<Result>;
  readonly #members = new Set<Member<Result>>();
  readonly #epoch: number;
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  /** Members are at this position, or after it if they joined while entries that they already have were executed. */
  #position: Position;
  #wake: () => void = () => {};

  /** Begins at `head`, the position of its first member. Calls `onEnd` when no member can be added any more. */
  constructor(room: Tail, operation: GroupOperation<Result>, head: Position, first: Member<Result>, clock: Clock, onEnd: () => void) {
    this.#room = room;
    this.#operation = operation;
    this.#clock = clock;
    this.#epoch = room.epoch;
    this.#position = head;
    this.#members.add(first);
    this.#onEnd = onEnd;
    void this.#run();
  }

  /** Adds a subscriber that is at the head of the room. */
  add(member: Member<Result>): void {
    this.#members.add(member);
  }

  remove(member: Member<Result>, error?: unknown): void {
    if (!this.#members.delete(member)) return;
    member.onLeft(error);
    if (this.#members.size === 0) this.#wake();
  }

  async #run(): Promise<void> {
    const stopWaking = this.#room.onChange(() => this.#wake());
    let failure: unknown;
    try {
      while (this.#members.size > 0 && (await this.#deliverNext()));
    } catch (error) {
      failure = error;
    }
    stopWaking();
    this.#onEnd();
    for (const member of this.#members) this.remove(member, failure);
  }

  /**
   * Delivers the next entries. False if the members must continue alone: the log was rolled back, the tail begins after
   * their position, an entry cannot be executed for all of them, or the room ends. Throws a failure that each member would
   * also get alone.
   */
  async #deliverNext(): Promise<boolean> {
    const entries = this.#nextEntries();
    if (entries.length === 0) {
      if (!samePosition(this.#position, this.#room.head)) return false;
      // There is no `await` between the check and this line, so no entry is missed in between.
      await new Promise<void>((resolve) => (this.#wake = resolve));
      return this.#isCurrent;
    }
    const results = await this.#execute(entries);
    if (!results || !this.#isCurrent) return false;
    const startMs = this.#clock.now();
    for (const member of this.#members) {
      for (let i = 0; i < entries.length; i += 1) {
        if (member.deliver(entries[i] as LogEntry, results[i])) continue;
        this.remove(member);
        break;
      }
    }
    this.#position = entries.at(-1) as LogEntry;
    // The connections write at the end of this turn.
    await setImmediate();
    if (this.#clock.now() - startMs >= pauseMs) await this.#clock.sleep(pauseMs);
    return this.#isCurrent;
  }

  get #isCurrent(): boolean {
    return this.#epoch === this.#room.epoch;
  }

  #nextEntries(): LogEntry[] {
    const entries: LogEntry[] = [];
    for (let position = this.#position; entries.length < maxTogether; ) {
      const entry = this.#room.entryAfter(position);
      if (!entry || endsRoom(entry)) break;
      entries.push(entry);
      position = entry;
    }
    return entries;
  }

  async #execute(entries: readonly LogEntry[]): Promise<readonly (Result | undefined)[] | undefined> {
    const wanted = entries.filter(({ type }) => this.#operation.wants(type));
    try {
      const results = await this.#operation.execute(wanted, () => this.#members.size > 0);
      if (results.includes(undefined)) return undefined;
      const ofEntry = new Map(wanted.map((entry, index) => [entry, results[index]]));
      return entries.map((entry) => ofEntry.get(entry));
    } catch (error) {
      // One of the entries cannot be executed. Each member delivers those before it, and gets the error at that entry.
      if (isFinal(error)) return undefined;
      throw error;
    }
  }
}
