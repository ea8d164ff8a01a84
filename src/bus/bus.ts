// The bus wakes nodes when a room has new entries. It may lose, repeat, delay and reorder entries, so nothing relies on it
// for correctness: the log is the source of truth.

import type { LogEntry } from '../storage/room-log.ts';
import type { UnknownEntry } from '../storage/unknown-entry.ts';

/** Receives an entry of a room. Only sets state and wakes waiters: it never throws, waits or works for long. */
export type Listener = (entry: LogEntry | UnknownEntry) => void;

export interface Bus extends AsyncDisposable {
  /** Sends a committed entry to every node that watches its room. Never throws. Returns before the entry is sent. */
  publish(entry: LogEntry): void;
  /**
   * Calls `listener` with the entries of a room until the returned function is called. Resolves once the node receives
   * them. While the bus is not connected, it resolves at once: `healthy` is then false, and the bus subscribes later.
   */
  subscribe(roomId: string, listener: Listener): Promise<() => void>;
  /** False while entries may be lost: from a failure until shortly after it ended. Heads are then checked more often. */
  readonly healthy: boolean;
  /** Counters of failures, by kind. They never decrease. */
  readonly counts: Readonly<Record<string, number>>;
}
