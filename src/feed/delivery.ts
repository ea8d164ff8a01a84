// What a subscriber asks for, what is delivered, and where the results go.

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
  /** Which types are delivered. Entries of other types move the position, and may end the feed, all the same. */
  readonly wants: (type: Delivery['type']) => boolean;
}

/** Where the results of a feed go: a client that reads them. */
export interface Sink<Result> {
  /** Whether the client still wants results. The feed ends when it does not. */
  readonly open: boolean;
  /** Whether a result may be written now. False once closed. */
  readonly ready: boolean;
  /** Resolves when `ready` or `open` may have changed. */
  drained(): Promise<void>;
  /** Writes a result. Called only while `ready`. */
  write(result: Result): void;
}

/** Turns entries into results. Throws, and the entries stay undelivered, if that fails. */
export interface Operation<Result> {
  /** For this subscriber alone. */
  execute(delivery: Delivery): Promise<Result>;
  /** For all subscribers that ask for the same. Undefined if none of the results can be shared. */
  readonly shared: SharedOperation<Result> | undefined;
}

export interface SharedOperation<Result> {
  /** Subscribers with the same key ask for the same. */
  readonly key: string;
  /** The result of each entry, in order. Undefined for an entry whose result depends on the subscriber. */
  execute(entries: readonly LogEntry[]): Promise<readonly (Result | undefined)[]>;
}
