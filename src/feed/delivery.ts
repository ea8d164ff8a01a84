// What a subscriber asks for, and what it is handed.

import type { Position } from '../storage/cursor.ts';
import type { LogEntry } from '../storage/room-log.ts';

/** All that was missed has been handed over. Not an entry: it has the position of the head, and takes none. */
export interface CaughtUp extends Position {
  readonly type: 'CaughtUp';
  readonly roomId: string;
  readonly at: Date;
}

export type Delivery = LogEntry | CaughtUp;

export interface Watch {
  readonly roomId: string;
  readonly viewerId: string;
  /** What the subscriber wants to be handed. The rest moves the position, and ends the feed, all the same. */
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
