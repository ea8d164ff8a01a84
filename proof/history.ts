// What a run of the proof records: everything that was asked of the servers, everything that they said, and what was
// done to them, as one list of lines in the order in which they were written down. Times are milliseconds of one clock.

/** A message is asked for once or, after a failure, again with the same key. One attempt is one `invoke` and one outcome. */
export type Attempt =
  | {
      readonly type: 'invoke';
      readonly at: number;
      /** Counts the attempts of the run. */
      readonly attempt: number;
      /** The clientMessageId. The body begins with it, also once edited, so that a message is known by its body too. */
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
  /** Refused for good: it was not written, and is not tried again. */
  | { readonly type: 'fail'; readonly at: number; readonly attempt: number; readonly key: string; readonly code: string }
  /** It may have been written: UNAVAILABLE, a lost connection, no answer. It is tried again. */
  | { readonly type: 'unknown'; readonly at: number; readonly attempt: number; readonly key: string; readonly why: string };

/** An edit or a deletion of an own message, written down when it is answered. What became of it, the final log says. */
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

/** What a watcher of one room did and was told. It resumes behind the last event that it was handed. */
export type Watching =
  /** It asks for the room's events behind `after`; the first time, behind the cursor from which it must see everything. */
  | {
      readonly type: 'open';
      readonly at: number;
      readonly watcher: string;
      readonly room: string;
      readonly viewer: string;
      readonly node: number;
      readonly after: string;
    }
  /** `cursor` is the event's own. CaughtUp has that of the event before it. */
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
      /** The code of an error that came beside the event: a part of it is missing. */
      readonly error?: string;
    }
  /** An event of a subscription that its client had completed, after the server had shown that it knew. */
  | { readonly type: 'stray'; readonly at: number; readonly watcher: string; readonly event: string; readonly cursor: string }
  /**
   * The stream was completed by the server, ended with an error that cannot be resumed from, or lost (and is resumed);
   * or the watcher has stopped by itself and comes back no more.
   */
  | {
      readonly type: 'end';
      readonly at: number;
      readonly watcher: string;
      readonly how: 'complete' | 'error' | 'lost' | 'stopped';
      readonly why: string;
    };

/** What was done to the servers. */
export type Happening =
  | {
      readonly type: 'fault';
      readonly at: number;
      readonly fault: string;
      /** While it lasts, a message may be late by so much. Undefined: until it is healed. */
      readonly maxDelayMs?: number;
    }
  /** The fault is over: from here on everything must come right. */
  | { readonly type: 'healed'; readonly at: number; readonly fault: string }
  /** Every watcher has seen everything that was acknowledged by `healed`. */
  | { readonly type: 'recovered'; readonly at: number; readonly fault: string }
  /** A node ended that nobody had asked to, or not in the way in which it should. */
  | { readonly type: 'crash'; readonly at: number; readonly node: number; readonly how: string };

export type Line = Attempt | Change | Watching | Happening;

/** A room as it is when everything has healed, read through the public API from its first entry to its head. */
export interface FinalRoom {
  readonly room: string;
  /** Nobody loses the right to an OPEN room by leaving it. Undefined: PRIVATE. */
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
