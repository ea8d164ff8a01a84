// What feeds at the same entry share: the operation is executed once, however many of them ask for it.

import type { LogEntry } from '../storage/room-log.ts';

/** How long a result is shared. Those who are at the head ask within milliseconds; whoever comes later is shown what is true then. */
const sharedMs = 1000;

export class FanOut {
  readonly #results = new Map<LogEntry, Map<string, Promise<unknown>>>();

  /** What `execute` gives for this entry, from whoever with the same key asked first. A failure is not kept. */
  share<Result>(entry: LogEntry, key: string, execute: () => Promise<Result>): Promise<Result> {
    const results = this.#results.get(entry) ?? this.#keep(entry);
    const shared = results.get(key) as Promise<Result> | undefined;
    if (shared) return shared;
    const result = execute();
    results.set(key, result);
    result.catch(() => results.delete(key));
    return result;
  }

  /** Drops what was executed of a message that has changed: from now on it is shown as it is now. */
  forget(messageId: string): void {
    for (const entry of this.#results.keys()) if ('messageId' in entry && entry.messageId === messageId) this.#results.delete(entry);
  }

  #keep(entry: LogEntry): Map<string, Promise<unknown>> {
    const results = new Map<string, Promise<unknown>>();
    this.#results.set(entry, results);
    setTimeout(() => this.#results.delete(entry), sharedMs).unref();
    return results;
  }
}
