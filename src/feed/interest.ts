// A room that accounts of this node listen to: who they are, and the newest event of the room with its results.

import type { DeletedMessage } from '../storage/accounts.ts';
import type { Account } from './account.ts';
import type { ViewerRoomChanged } from './account-event.ts';

/** A moment among the changes that this node has received. */
export interface Mark {
  /** Of two marks, the one with the higher order is the later. */
  readonly order: number;
  readonly cursor: string;
}

export const earlier = (a: Mark, b: Mark | undefined): Mark => (b && b.order < a.order ? b : a);

/**
 * How long deletions are told again. An account that was told longer ago is told of the room as if it were new. A client drops
 * repetitions by their revision.
 */
export const deletionsKeptMs = 60_000;

export class Interest {
  readonly roomId: string;
  /** Who is told of each change. Some may have ended: see `forget`. */
  listeners: Account[] = [];
  /** The members who have muted the room. They are told when it ends. */
  muted: Account[] = [];
  #ended = 0;
  /** The mark before the first change that listeners have not been told of. Undefined: there is none. */
  changedAfter: Mark | undefined;
  movedAtMs = Number.NEGATIVE_INFINITY;
  /** When `event` was asked for last. */
  keptAtMs = Number.NEGATIVE_INFINITY;
  /** The mark of the last move. Every change that the move tells of is after it. */
  mark: Mark | undefined;
  /** The state of the last move. Undefined until it was read. */
  event: ViewerRoomChanged | undefined;
  /** The results of `event` by operation. Undefined for a result that depends on the viewer. */
  readonly results = new Map<string, unknown>();
  /** The lowest revision that a listener may know and whose deletions were not read. */
  revision = Number.POSITIVE_INFINITY;
  #deletions: (DeletedMessage & { readonly atMs: number })[] = [];

  constructor(roomId: string) {
    // A copy of its own: the id may be part of a text with all rooms of a user, which would stay in memory.
    this.roomId = Buffer.from(roomId).toString();
  }

  get isEmpty(): boolean {
    return this.listeners.length + this.muted.length === 0;
  }

  /** Adds deletions that were read, and returns those of the last minute. */
  remember(deletions: readonly DeletedMessage[], nowMs: number): DeletedMessage[] {
    const known = new Set(this.#deletions.map(({ revision }) => revision));
    for (const { number, revision } of deletions) if (!known.has(revision)) this.#deletions.push({ number, revision, atMs: nowMs });
    this.#deletions = this.#deletions.filter(({ atMs }) => nowMs - atMs < 2 * deletionsKeptMs);
    return this.#deletions.map(({ number, revision }) => ({ number, revision }));
  }

  /**
   * Removes an account that has ended. It is left in the lists until half of them have ended, because looking for each of
   * thousands among thousands would take seconds.
   */
  forget(): void {
    this.#ended += 1;
    this.#removeEnded();
  }

  /** Removes an account that goes on. */
  remove(account: Account): void {
    if (!removeFrom(this.listeners, account)) removeFrom(this.muted, account);
    this.#removeEnded();
  }

  #removeEnded(): void {
    if (this.#ended * 2 <= this.listeners.length + this.muted.length) return;
    this.listeners = this.listeners.filter(({ ended }) => !ended);
    this.muted = this.muted.filter(({ ended }) => !ended);
    this.#ended = 0;
  }
}

/** Removes an item by moving the last one to its place. False if it is not there. */
export function removeFrom<Item>(items: Item[], item: Item): boolean {
  const index = items.indexOf(item);
  if (index === -1) return false;
  const last = items.pop() as Item;
  if (index < items.length) items[index] = last;
  return true;
}
