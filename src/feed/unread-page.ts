// The entries that a feed has read from the log and not delivered yet, oldest first.

import type { LogEntry } from '../storage/room-log.ts';

export class UnreadPage {
  #entries: readonly LogEntry[];
  #delivered = 0;

  constructor(entries: readonly LogEntry[]) {
    this.#entries = entries;
  }

  get empty(): boolean {
    return this.#delivered === this.#entries.length;
  }

  /** The entry after the next `index` ones. */
  at(index: number): LogEntry | undefined {
    return this.#entries[this.#delivered + index];
  }

  /** Replaces the entries. */
  fill(entries: readonly LogEntry[]): void {
    this.#entries = entries;
    this.#delivered = 0;
  }

  /** Removes the entry if it is the next one. */
  pass(entry: LogEntry): void {
    if (this.at(0) !== entry) return;
    this.#delivered += 1;
    if (this.empty) this.fill([]);
  }
}
