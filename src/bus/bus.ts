// How nodes wake each other. The bus may lose, repeat, delay and reorder entries: nobody relies on it for truth.

import type { LogEntry } from '../storage/room-log.ts';
import type { UnknownEntry } from '../storage/unknown-entry.ts';

/** Receives an entry of a room. Only sets state and wakes: it never throws, waits or does work that takes long. */
export type Listener = (entry: LogEntry | UnknownEntry) => void;

export interface Bus extends AsyncDisposable {
  /** Sends a committed entry on its way to every node that watches its room. Never throws and is never waited for. */
  publish(entry: LogEntry): void;
  /**
   * Calls `listener` with the entries of a room until the returned function is called. Resolves once the node hears
   * them, or at once while that cannot be had: `healthy` is false then, and the bus catches up on its own.
   */
  subscribe(roomId: string, listener: Listener): Promise<() => void>;
  /** False while entries may be lost: from a failure on, until a while after it is over. Feeds look at the log more often. */
  readonly healthy: boolean;
  /** How often something went wrong, by what; each only ever grows. */
  readonly counts: Readonly<Record<string, number>>;
}
