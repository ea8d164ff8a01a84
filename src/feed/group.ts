// Those who are at the head of a room and ask for the same. Each entry is executed once for all of them, and its result is
// handed to each without being asked for. Whoever cannot take it goes on alone, from a position of their own.

import { type Position, samePosition } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';

/** Entries that are executed at once, where so many have come while others were: one query loads what they show. */
const maxTogether = 64;

/** Gives a result for each entry, in order. Throws, or gives undefined for one, where each member is to execute it alone. */
export type Execute<Result> = (entries: readonly LogEntry[]) => Promise<readonly (Result | undefined)[]>;

/** What is executed for all of a group. */
export interface Operation<Result> {
  readonly wants: (type: LogEntry['type']) => boolean;
  /** The same, and again while the database is away and the results are wanted. */
  readonly execute: (entries: readonly LogEntry[], wanted: () => boolean) => ReturnType<Execute<Result>>;
}

export interface Member<Result> {
  /** Takes the entry, and what came of it if it is wanted, unless it has it already. False where it cannot: it is no member then. */
  take(entry: LogEntry, result: Result | undefined): boolean;
  /** It is a member no more. */
  dismiss(): void;
}

/** What a group needs of its live room. */
export interface Tail {
  readonly head: Position | undefined;
  readonly history: number;
  entryAfter(position: Position): LogEntry | undefined;
  onChange(wake: () => void): () => void;
}

export class Group<Result> {
  readonly #room: Tail;
  readonly #operation: Operation<Result>;
  readonly #members = new Set<Member<Result>>();
  readonly #history: number;
  /** Members are there, or ahead of it: whoever came while entries were executed that they had already. */
  #position: Position;
  #wake: () => void = () => {};
  readonly #onEnd: () => void;

  /** Begins at `head`, where its first member is. `onEnd` is called when nobody can be added any more. */
  constructor(room: Tail, operation: Operation<Result>, head: Position, first: Member<Result>, onEnd: () => void) {
    this.#room = room;
    this.#operation = operation;
    this.#history = room.history;
    this.#position = head;
    this.#members.add(first);
    this.#onEnd = onEnd;
    void this.#serve();
  }

  /** Takes in whoever is at the head of the room. */
  add(member: Member<Result>): void {
    this.#members.add(member);
  }

  remove(member: Member<Result>): void {
    if (!this.#members.delete(member)) return;
    member.dismiss();
    if (this.#members.size === 0) this.#wake();
  }

  async #serve(): Promise<void> {
    const stopListening = this.#room.onChange(() => this.#wake());
    while (this.#members.size > 0 && (await this.#handOver()));
    stopListening();
    this.#onEnd();
    for (const member of this.#members) this.remove(member);
  }

  /**
   * Hands over what comes next; false where the members are to go on alone. They do where the log was undone or the tail
   * does not reach back to them, where an entry cannot be executed for all of them, and where the room ends.
   */
  async #handOver(): Promise<boolean> {
    const entries = this.#nextEntries();
    if (entries.length === 0) {
      if (!samePosition(this.#position, this.#room.head)) return false;
      // Nothing is awaited between the look and this, so no entry comes in between unnoticed.
      await new Promise<void>((resolve) => (this.#wake = resolve));
      return this.#isCurrent;
    }
    const results = await this.#execute(entries);
    if (!results || !this.#isCurrent) return false;
    for (const member of this.#members) if (!entries.every((entry, index) => member.take(entry, results[index]))) this.remove(member);
    this.#position = entries.at(-1) as LogEntry;
    return true;
  }

  get #isCurrent(): boolean {
    return this.#history === this.#room.history;
  }

  #nextEntries(): LogEntry[] {
    const entries: LogEntry[] = [];
    for (let position = this.#position; entries.length < maxTogether; ) {
      const entry = this.#room.entryAfter(position);
      if (!entry || entry.type === 'RoomDeleted') break;
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
    } catch {
      // Each finds out what is wrong when it executes the entry itself, and is told then.
      return undefined;
    }
  }
}
