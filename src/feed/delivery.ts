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

/** Turns events into results. If it throws, they are not delivered. `Shared` are the events whose results may be shared. */
export interface Operation<Result, Event = Delivery, Shared = LogEntry> {
  /** The results for this subscriber alone, in order. */
  execute(events: readonly Event[]): Promise<readonly Result[]>;
  /** For all subscribers with the same operation and variables. Undefined if no result can be shared. */
  readonly shared: SharedOperation<Result, Shared> | undefined;
}

export interface SharedOperation<Result, Shared = LogEntry> {
  /** Subscribers with the same key have the same operation and variables. */
  readonly key: string;
  /** The result of each event, in order. Undefined for an event whose result depends on the subscriber. */
  execute(events: readonly Shared[]): Promise<readonly (Result | undefined)[]>;
}

/** State that the subscribers of one source share. */
export interface Sharer<Event, Shared extends Event> {
  /** Whether the result of the event may be the same for all subscribers. */
  mayShare(event: Event): event is Shared;
  /** Returns what `create` returned for the first caller with this key. */
  once<Value>(key: string, create: () => Value): Value;
  /** The result of the first caller with this key for this event. */
  share<Result>(event: Shared, key: string, execute: () => Promise<Result>): Promise<Result>;
}

/** What a subscription delivers: the log of a room, or the changes of an account. */
export interface EventSource<Event extends { readonly type: string }, Shared extends Event> extends AsyncIterable<never> {
  /** The cursor after the event that was delivered last. */
  readonly cursor: string;
  readonly fanOut: Sharer<Event, Shared>;
  /** Writes the result of each event to the sink while it is ready. Resolves at the end of the source, or at once after `stop`. */
  run<Result>(operation: Operation<Result, Event, Shared>, sink: Sink<Result>): Promise<void>;
  /** Ends it at once. Idempotent. */
  stop(): void;
}
