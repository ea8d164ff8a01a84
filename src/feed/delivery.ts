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

/** Where results go. */
export interface Sink<Result> {
  /** Whether it takes a result now. */
  readonly ready: boolean;
  /** Resolves once it may be ready again, or is closed. */
  drained(): Promise<void>;
  /** Called only while ready. */
  write(result: Result): void;
}
