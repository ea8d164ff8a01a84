// What a run of the proof records, as one list of lines in order: requests, answers, deliveries, and faults. Times are
// milliseconds of one clock.

/** A message is sent once or, after a failure, again with the same key. One attempt is one `invoke` and one outcome. */
export type Attempt =
  | {
      readonly type: 'invoke';
      readonly at: number;
      /** Number of the attempt in the run. */
      readonly attempt: number;
      /** The clientMessageId. The body begins with it, also after an edit, so that the body identifies the message too. */
      readonly key: string;
      readonly writer: string;
      readonly room: string;
      readonly node: number;
    }
  /** Acknowledged. */
  | {
      readonly type: 'ok';
      readonly at: number;
      readonly attempt: number;
      readonly key: string;
      readonly id: string;
      readonly number: number;
      readonly cursor: string;
      readonly deduplicated: boolean;
    }
  /** Refused finally: it was not written, and is not retried. */
  | { readonly type: 'fail'; readonly at: number; readonly attempt: number; readonly key: string; readonly code: string }
  /** It may have been written: UNAVAILABLE, a lost connection, no answer. It is retried. */
  | { readonly type: 'unknown'; readonly at: number; readonly attempt: number; readonly key: string; readonly why: string };

/** An edit or deletion of one's own message, recorded when it is answered. The final log shows whether it happened. */
export interface Change {
  readonly type: 'change';
  readonly at: number;
  readonly how: 'edit' | 'delete';
  readonly id: string;
  readonly room: string;
  readonly node: number;
  readonly outcome: 'ok' | 'fail' | 'unknown';
  /** The code, or why it is unknown. */
  readonly why?: string;
}

export interface SeenMessage {
  readonly id: string;
  readonly number: number;
  readonly body: string | null;
}

/** The subscriptions of a watcher of one room, and what it received. It resumes after the last event that it received. */
export type Watching =
  /** It subscribes to the room after `after`: the first time, the cursor after which it must receive everything. */
  | {
      readonly type: 'open';
      readonly at: number;
      readonly watcher: string;
      readonly room: string;
      readonly viewer: string;
      readonly node: number;
      readonly after: string;
    }
  /** `cursor` is that of the event. CaughtUp has the cursor of the event before it. */
  | {
      readonly type: 'event';
      readonly at: number;
      readonly watcher: string;
      readonly room: string;
      readonly event: string;
      readonly cursor: string;
      readonly message?: SeenMessage;
      /** Of MemberLeft and MemberJoined. */
      readonly userId?: string;
      /** Code of an error in the same result: a part of the event is missing. */
      readonly error?: string;
    }
  /** An event of a completed subscription, after the server had shown that it had processed the `complete`. */
  | { readonly type: 'stray'; readonly at: number; readonly watcher: string; readonly event: string; readonly cursor: string }
  /**
   * The stream was completed by the server, ended with an error that cannot be resumed from, or lost (and is resumed);
   * or the watcher has stopped by itself and does not reconnect.
   */
  | {
      readonly type: 'end';
      readonly at: number;
      readonly watcher: string;
      readonly how: 'complete' | 'error' | 'lost' | 'stopped';
      readonly why: string;
    };

/** A sign-out was acknowledged: nothing that is sent later than `withinMs` after it is delivered to this viewer. */
export interface SignedOut {
  readonly type: 'signedOut';
  readonly at: number;
  readonly viewer: string;
  readonly withinMs: number;
}

/** The begin and end of a fault, and crashes of nodes. */
export type FaultEvent =
  | {
      readonly type: 'fault';
      readonly at: number;
      readonly fault: string;
      /** Allowed delay of a message while the fault lasts. Undefined: until the fault is healed. */
      readonly maxDelayMs?: number;
    }
  /** The fault is over: from now on everything must recover. */
  | { readonly type: 'healed'; readonly at: number; readonly fault: string }
  /** Every watcher has received everything that was acknowledged. */
  | { readonly type: 'recovered'; readonly at: number; readonly fault: string }
  /** A node ended without being stopped, or did not stop cleanly. */
  | { readonly type: 'crash'; readonly at: number; readonly node: number; readonly how: string };

export type Line = Attempt | Change | Watching | SignedOut | FaultEvent;

/** A room after the run, read through the public API from its first entry to its head. */
export interface FinalRoom {
  readonly room: string;
  /** Leaving an OPEN room does not end the right to it. Undefined: PRIVATE. */
  readonly kind?: 'OPEN' | 'PRIVATE' | 'DIRECT';
  readonly log: readonly FinalEntry[];
  /** In room order, all pages. */
  readonly messages: readonly FinalMessage[];
}

export interface FinalEntry {
  readonly cursor: string;
  readonly event: string;
  readonly message?: SeenMessage;
  readonly userId?: string;
}

export interface FinalMessage extends SeenMessage {
  readonly cursor: string;
  /** The clientMessageId. */
  readonly key: string | null;
}
