// State that the feeds of one room share: results, so that an operation is executed once per entry for all subscribers, and
// the groups at the head.

import type { Clock } from '../clock.ts';
import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { Delivery, Sharer } from './delivery.ts';
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

export class FanOut implements Sharer<Delivery, LogEntry> {
  readonly #room: Tail;
  readonly #clock: Clock;
  /** A Map, oldest first: an LRU cache would allocate its full size for each watched room. */
  readonly #shared = new Map<string, Shared>();
  // biome-ignore lint/suspicious/noExplicitAny: groups and results under the same key have the same type
  readonly #groups = new Map<string, Group<any>>();
  readonly #operations = new Map<string, unknown>();

  constructor(room: Tail, clock: Clock) {
    this.#room = room;
    this.#clock = clock;
  }

  /** Returns what `create` returned for the first caller with this key. Kept while the room is watched. */
  once<Value>(key: string, create: () => Value): Value {
    const known = this.#operations.get(key) as Value | undefined;
    if (known) return known;
    const created = create();
    if (this.#operations.size < maxOperations) this.#operations.set(key, created);
    return created;
  }

  mayShare(delivery: Delivery): delivery is LogEntry {
    return delivery.type !== 'CaughtUp';
  }

  /** Adds `member`, which is at the head, to the group with the same key. Its first member creates its operation. */
  join<Result>(key: string, head: Position, member: Member<Result>, createOperation: () => GroupOperation<Result>): Group<Result> {
    const known = this.#groups.get(key);
    if (known) {
      known.add(member);
      return known;
    }
    const group = new Group(this.#room, createOperation(), head, member, this.#clock, () => this.#groups.delete(key));
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

  /** Drops results that show the previous state of a changed message. */
  forget(messageId: string): void {
    for (const [name, { entry }] of this.#shared) if ('messageId' in entry && entry.messageId === messageId) this.#shared.delete(name);
  }

  /** Drops all results: after a rollback, any of them may show a change that is gone. */
  forgetAll(): void {
    this.#shared.clear();
  }

  #keep(entry: LogEntry): Shared {
    const name = nameOf(entry);
    const kept = { entry, results: new Map<string, Promise<unknown>>() };
    this.#shared.set(name, kept);
    for (const [oldest] of this.#shared) {
      if (this.#shared.size <= maxEntries) break;
      this.#shared.delete(oldest);
    }
    this.#clock.after(resultTtlMs, () => {
      if (this.#shared.get(name) === kept) this.#shared.delete(name);
    });
    return kept;
  }
}

/** Identifies an entry, whether it came from the bus or from the log. */
const nameOf = ({ seq, tag }: LogEntry) => `${seq} ${tag}`;
