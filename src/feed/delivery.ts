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

/** Takes what comes of the entries while its feed is at the head, without asking. */
export interface Sink<Result> {
  /** Whether it can take something now. */
  readonly ready: boolean;
  write(result: Result): void;
}
