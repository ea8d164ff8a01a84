// One subscription of a viewer to the changes of their rooms. It keeps the set of what it has not been told yet, never a queue:
// a slow reader is told the current state once it reads. What is in the set is told, or the room leaves the list.

import type { RemovalReason } from '../storage/accounts.ts';
import type { AccountEvent, ViewerRoomChanged } from './account-event.ts';
import type { EventSource, Operation, Sink } from './delivery.ts';
import { earlier, type Interest, type Mark } from './interest.ts';

/** What the viewer is told alone. */
export type OwnChange =
  | { readonly type: 'ViewerRoomAdded' | 'ViewerMembershipChanged'; readonly roomId: string }
  | { readonly type: 'ViewerRoomRemoved'; readonly roomId: string; readonly removalReason: RemovalReason }
  | { readonly type: 'ViewerChanged'; readonly roomId: '' };

export interface AccountStart {
  readonly userId: string;
  readonly includeMuted: boolean;
  /** Whether the viewer is told of their totals when rooms have changed. */
  readonly wantsTotals: boolean;
  /** Where the stream continues. Undefined: only what changes from now on. */
  readonly after: string | undefined;
}

/** The part of `Accounts` that an account uses. */
export interface AccountHost {
  readonly fanOut: EventSource<AccountEvent, ViewerRoomChanged>['fanOut'];
  /** Called once results may be written. */
  begin(account: Account): void;
  end(account: Account): void;
  /** Called when there may be something that can be delivered. */
  touch(account: Account): void;
}

/** An account whose rooms move more often than this in a second is told once in a second. */
const movesPerSecond = 5;
const windowMs = 1000;

// biome-ignore lint/suspicious/noExplicitAny: an account does not look into results
export type AnyOperation = Operation<any, AccountEvent, ViewerRoomChanged>;

export class Account implements EventSource<AccountEvent, ViewerRoomChanged> {
  readonly #host: AccountHost;
  readonly userId: string;
  readonly includeMuted: boolean;
  readonly wantsTotals: boolean;
  operation: AnyOperation | undefined;
  sink: Sink<unknown> | undefined;
  ended = false;
  /** Whether what the viewer is told alone is being executed. */
  busy = false;
  /** Whether changes may be missing. Nothing is delivered until the rooms were read again. */
  stale = false;
  /** Grows when the rooms are read again. What was executed for an earlier generation is not delivered. */
  generation = 0;
  cursor: string;
  /** The rooms that the client may have in its list while the rooms are read again. */
  readonly former = new Set<string>();
  /** The rooms of the viewer, muted ones too. */
  rooms: Interest[] = [];
  /** The ends of mutes, in milliseconds. */
  readonly mutedUntilMs = new Map<Interest, number>();
  /** Rooms whose membership changed, and is being read. Nothing of them is delivered meanwhile. */
  readonly checking = new Set<string>();
  /** By room. */
  readonly own = new Map<string, OwnChange>();
  /** In the order of their last moves, so that a cursor of one of them is not ahead of what is left. */
  readonly changed = new Set<Interest>();
  /** `ViewerCaughtUp`, while it is not delivered. */
  catchUp: { readonly cursor: string; readonly complete: boolean } | undefined;
  #ownMark: Mark | undefined;
  #isWaiting = false;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #moves = 0;
  /** When it was told of everything last. */
  #toldAtMs = 0;
  #settle: (error?: unknown) => void = () => {};

  constructor(host: AccountHost, { userId, includeMuted, wantsTotals }: AccountStart, cursor: string) {
    this.#host = host;
    this.userId = userId;
    this.includeMuted = includeMuted;
    this.wantsTotals = wantsTotals;
    this.cursor = cursor;
  }

  get fanOut() {
    return this.#host.fanOut;
  }

  run<Result>(operation: Operation<Result, AccountEvent, ViewerRoomChanged>, sink: Sink<Result>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    this.operation = operation;
    this.sink = sink as Sink<unknown>;
    if (this.ended) resolve();
    else this.#host.begin(this);
    return promise;
  }

  stop(): void {
    this.#end();
  }

  /** There may be something that can be delivered. */
  touch(): void {
    this.#host.touch(this);
  }

  /** Ends with an error for the client. */
  fail(error: unknown): void {
    this.#end(error);
  }

  /** graphql-js requires the source of a subscription to be iterable. This method is never called: see `run`. */
  [Symbol.asyncIterator](): never {
    throw new Error('An account cannot be iterated: call run().');
  }

  /** Whether there is anything to tell. */
  get isPending(): boolean {
    return this.own.size > 0 || this.catchUp !== undefined || this.changed.size > 0;
  }

  /** Whether results can be written now. Otherwise it is touched again when they can. */
  isReady(): boolean {
    const { sink } = this;
    if (this.ended || this.stale || !sink) return false;
    if (sink.ready) return true;
    if (!sink.open) this.stop();
    else if (!this.#isWaiting) {
      this.#isWaiting = true;
      const wake = () => {
        this.#isWaiting = false;
        this.#host.touch(this);
      };
      void sink.drained().then(wake, wake);
    }
    return false;
  }

  putOwn(change: OwnChange, mark: Mark): void {
    if (this.own.size === 0) this.#ownMark = mark;
    const before = this.own.get(change.roomId);
    // A room that is to be told as new is told with its membership.
    const isPart = change.type === 'ViewerMembershipChanged' && before?.type === 'ViewerRoomAdded';
    this.own.set(change.roomId, isPart ? { ...before } : change);
  }

  putChanged(interest: Interest, nowMs: number): void {
    if (this.changed.size === 0) this.#toldAtMs = nowMs;
    else this.changed.delete(interest);
    this.changed.add(interest);
  }

  /** The cursor of what the viewer is told alone: not ahead of anything that is left. */
  ownCursor(): string {
    if (this.catchUp || !this.#ownMark) return this.cursor;
    const [first] = this.changed;
    return (first?.mark ? earlier(this.#ownMark, first.mark) : this.#ownMark).cursor;
  }

  /** Drops all rooms and everything that was not told, before the rooms are read again. */
  clear(): void {
    this.generation += 1;
    for (const { roomId } of this.rooms) this.former.add(roomId);
    for (const roomId of this.own.keys()) this.former.add(roomId);
    this.rooms = [];
    this.mutedUntilMs.clear();
    this.own.clear();
    this.changed.clear();
    this.checking.clear();
  }

  /** How long the oldest of what is left has waited. */
  lagMs(nowMs: number): number {
    return this.changed.size === 0 ? 0 : nowMs - this.#toldAtMs;
  }

  /** Until when it is not told of moves, because its rooms move often. */
  get quietUntilMs(): number {
    return this.#moves > movesPerSecond ? this.#windowStartMs + windowMs : Number.NEGATIVE_INFINITY;
  }

  countMoves(moves: number, nowMs: number): void {
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#moves = 0;
    }
    this.#moves += moves;
  }

  #end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#host.end(this);
    this.#settle(error);
  }
}
