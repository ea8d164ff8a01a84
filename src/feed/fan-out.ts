// What the feeds of one room share: results, so that an operation is executed once per entry however many ask for it, and
// the groups at the head.

import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { Group, type GroupOperation, type Member, type Tail } from './group.ts';

/**
 * TTL of a shared result. Subscribers at the head need it within milliseconds, and a crowd that resumes at once within
 * seconds. A later one executes again and sees the current state.
 */
const resultTtlMs = 5000;
/** Maximum number of entries whose results are kept, about 2 KB each. */
const maxEntries = 1024;
/** Maximum number of distinct operations cached per room. */
const maxOperations = 100;

interface Shared {
  readonly entry: LogEntry;
  readonly results: Map<string, Promise<unknown>>;
}

export class FanOut {
  readonly #room: Tail;
  /** A Map, oldest first: an LRU cache would allocate its full size for each watched room. */
  readonly #shared = new Map<string, Shared>();
  // biome-ignore lint/suspicious/noExplicitAny: groups and results under the same key have the same type
  readonly #groups = new Map<string, Group<any>>();
  readonly #operations = new Map<string, unknown>();

  constructor(room: Tail) {
    this.#room = room;
  }

  /** What `create` returned for the first caller with this key, while the room is watched. A crowd keeps one copy. */
  once<Value>(key: string, create: () => Value): Value {
    const known = this.#operations.get(key) as Value | undefined;
    if (known) return known;
    const created = create();
    if (this.#operations.size < maxOperations) this.#operations.set(key, created);
    return created;
  }

  /** Adds `member`, which is at the head, to the group of those that ask for the same. */
  join<Result>(key: string, operation: GroupOperation<Result>, head: Position, member: Member<Result>): Group<Result> {
    const known = this.#groups.get(key);
    if (known) {
      known.add(member);
      return known;
    }
    const group = new Group(this.#room, operation, head, member, () => this.#groups.delete(key));
    this.#groups.set(key, group);
    return group;
  }

  /** The result of the first caller with this key for this entry. A failure is not kept. */
  share<Result>(entry: LogEntry, key: string, execute: () => Promise<Result>): Promise<Result> {
    const { results } = this.#shared.get(nameOf(entry)) ?? this.#keep(entry);
    const shared = results.get(key) as Promise<Result> | undefined;
    if (shared) return shared;
    const result = execute();
    results.set(key, result);
    result.catch(() => results.delete(key));
    return result;
  }

  /** Drops the results that show a message which has changed. */
  forget(messageId: string): void {
    for (const [name, { entry }] of this.#shared) if ('messageId' in entry && entry.messageId === messageId) this.#shared.delete(name);
  }

  #keep(entry: LogEntry): Shared {
    const name = nameOf(entry);
    const kept = { entry, results: new Map<string, Promise<unknown>>() };
    this.#shared.set(name, kept);
    for (const [oldest] of this.#shared) {
      if (this.#shared.size <= maxEntries) break;
      this.#shared.delete(oldest);
    }
    setTimeout(() => this.#shared.get(name) === kept && this.#shared.delete(name), resultTtlMs).unref();
    return kept;
  }
}

/** The same name whether the entry came from the bus or from the log. */
const nameOf = ({ seq, tag }: LogEntry) => `${seq} ${tag}`;
