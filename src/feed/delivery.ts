// The types of a subscription: what a subscriber watches, what is delivered, and the sink for the results.

import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';

/** Everything that was missed has been delivered. Not an entry: it has the position of the head and does not move it. */
export interface CaughtUp extends Position {
  readonly type: 'CaughtUp';
  readonly roomId: string;
  readonly at: Date;
}

export type Delivery = LogEntry | CaughtUp;

export interface Watch {
  readonly roomId: string;
  readonly viewerId: string;
  /** Which types are delivered. Entries of other types still move the position, and may end the feed. */
  readonly wants: (type: Delivery['type']) => boolean;
}

/** Receives the results of a feed, for one client. */
export interface Sink<Result> {
  /** Whether the client still wants results. The feed ends when it does not. */
  readonly open: boolean;
  /** Whether a result may be written now. False once closed. */
  readonly ready: boolean;
  /** Whether this result may be written now, if `ready`. False for a large one while too much waits for other clients. Undefined: always true. */
  accepts?(result: Result): boolean;
  /** Resolves when `ready`, `open` or `accepts` may have changed. */
  drained(): Promise<void>;
  /** Writes a result. Called only while `ready`. */
  write(result: Result): void;
}

/** Turns deliveries into results. If it throws, they are not delivered. */
export interface Operation<Result> {
  /** The results for this subscriber alone, in order. */
  execute(deliveries: readonly Delivery[]): Promise<readonly Result[]>;
  /** For all subscribers with the same operation and variables. Undefined if no result can be shared. */
  readonly shared: SharedOperation<Result> | undefined;
}

export interface SharedOperation<Result> {
  /** Subscribers with the same key have the same operation and variables. */
  readonly key: string;
  /** The result of each entry, in order. Undefined for an entry whose result depends on the subscriber. */
  execute(entries: readonly LogEntry[]): Promise<readonly (Result | undefined)[]>;
}
