// The bus wakes nodes when a room has new entries. It may lose, repeat, delay and reorder entries, so nothing relies on it
// for correctness: the log is the source of truth.

import type { LogEntry } from '../storage/room-log.ts';
import type { UnknownEntry } from '../storage/unknown-entry.ts';

/** Receives an entry of a room. Only sets state and wakes waiters: it never throws, waits or works for long. */
export type Listener = (entry: LogEntry | UnknownEntry) => void;

/** What a node may be woken for, besides the entries of rooms. */
export type WakeTopic = 'revocations' | 'changes';

export interface Bus extends AsyncDisposable {
  /** Sends a committed entry to every node that watches its room. Never throws. Callers do not wait for it. */
  publish(entry: LogEntry): void;
  /**
   * Calls `listener` with the entries of a room until the returned function is called. Resolves when the node receives
   * them. If the bus is not available, it resolves at once or soon, `healthy` is false, and the bus subscribes later.
   */
  subscribe(roomId: string, listener: Listener): Promise<() => void>;
  /** Wakes every node to read what was committed. Never throws, and may be lost like an entry. */
  wake(topic: WakeTopic): void;
  /** Calls `listener` for each wake of the topic, until the returned function is called. */
  onWake(topic: WakeTopic, listener: () => void): () => void;
  /** False while entries may be lost: from a failure until some seconds after it. Heads are checked more often then. */
  readonly healthy: boolean;
  /** Counters for operators, by failure. They only grow. */
  readonly counts: Readonly<Record<string, number>>;
}
