// What feeds of a room share: the operation is executed once for an entry, however many of them ask for it.

import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { Group, type Member, type Operation, type Tail } from './group.ts';

/**
 * How long a result is shared: by those who are at the head, within milliseconds, and by a crowd that resumes all at once.
 * Whoever comes later is shown what is true then. An edit that this node has yet to hear of is an entry that follows.
 */
const sharedMs = 5000;
/** Entries whose results are kept. About 2 KB each. */
const maxEntries = 1024;
/** Different things asked for of which one is kept. What is asked for beside them is kept by each who asks. */
const maxKept = 100;

interface Shared {
  readonly entry: LogEntry;
  readonly results: Map<string, Promise<unknown>>;
}

export class FanOut {
  readonly #room: Tail;
  readonly #shared = new Map<string, Shared>();
  // biome-ignore lint/suspicious/noExplicitAny: those with the same key have results of the same type
  readonly #groups = new Map<string, Group<any>>();
  readonly #kept = new Map<string, unknown>();

  constructor(room: Tail) {
    this.#room = room;
  }

  /** What `make` gave for the first with that key, for as long as the room is watched: one for all of a crowd. */
  once<Value>(key: string, make: () => Value): Value {
    const known = this.#kept.get(key) as Value | undefined;
    if (known) return known;
    const made = make();
    if (this.#kept.size < maxKept) this.#kept.set(key, made);
    return made;
  }

  /** The group of those who ask for the same, with `member` in it, which is at the head. */
  join<Result>(key: string, operation: Operation<Result>, head: Position, member: Member<Result>): Group<Result> {
    const known = this.#groups.get(key);
    if (known) {
      known.add(member);
      return known;
    }
    const group = new Group(this.#room, operation, head, member, () => this.#groups.delete(key));
    this.#groups.set(key, group);
    return group;
  }

  /** What `execute` gives for this entry, from whoever with the same key asked first. A failure is not kept. */
  share<Result>(entry: LogEntry, key: string, execute: () => Promise<Result>): Promise<Result> {
    const { results } = this.#shared.get(placeOf(entry)) ?? this.#keep(entry);
    const shared = results.get(key) as Promise<Result> | undefined;
    if (shared) return shared;
    const result = execute();
    results.set(key, result);
    result.catch(() => results.delete(key));
    return result;
  }

  /** Drops what was executed of a message that has changed: from now on it is shown as it is now. */
  forget(messageId: string): void {
    for (const [place, { entry }] of this.#shared) if ('messageId' in entry && entry.messageId === messageId) this.#shared.delete(place);
  }

  #keep(entry: LogEntry): Shared {
    const place = placeOf(entry);
    const kept = { entry, results: new Map<string, Promise<unknown>>() };
    this.#shared.set(place, kept);
    for (const [oldest] of this.#shared) {
      if (this.#shared.size <= maxEntries) break;
      this.#shared.delete(oldest);
    }
    setTimeout(() => this.#shared.get(place) === kept && this.#shared.delete(place), sharedMs).unref();
    return kept;
  }
}

/** The same for an entry that was heard, and for one that was read. */
const placeOf = ({ seq, tag }: LogEntry) => `${seq} ${tag}`;
