// The part of a tick that is the same for all members of a room: its state is read once, and each operation is executed once.

import type { Clock } from '../clock.ts';
import { readMovedRooms } from '../storage/accounts.ts';
import type { Db } from '../storage/tables.ts';
import type { Account } from './account.ts';
import type { ViewerRoomChanged } from './account-event.ts';
import type { AccountIndex } from './account-index.ts';
import type { SharedOperation } from './delivery.ts';
import { deletionsKeptMs, type Interest, type Mark } from './interest.ts';

const roomsPerStatement = 1000;
/** How long the results of a room are kept after it moved, for accounts that lag. About 2 KB each. */
const resultTtlMs = 10_000;

type AnyShared = SharedOperation<unknown, ViewerRoomChanged>;

export class SharedRound {
  readonly #db: Db;
  readonly #index: AccountIndex;
  readonly #clock: Clock;
  readonly #onTold: (account: Account) => void;
  /** Rooms that moved lately, the oldest first. */
  readonly #moved = new Set<Interest>();
  /** Counters for operators: rooms whose state was read, executions for all members, and deliveries of their results. */
  readonly counts = { moves: 0, sharedExecutions: 0, sharedDeliveries: 0 };

  constructor(db: Db, index: AccountIndex, clock: Clock, onTold: (account: Account) => void) {
    this.#db = db;
    this.#index = index;
    this.#clock = clock;
    this.#onTold = onTold;
  }

  /** Marks a room whose changes are told of from now on. */
  move(interest: Interest, mark: Mark, nowMs: number): void {
    interest.changedAfter = undefined;
    interest.movedAtMs = nowMs;
    interest.mark = mark;
    interest.event = undefined;
    interest.results.clear();
    this.#keep(interest, nowMs);
  }

  /** Reads and executes what these accounts lack. */
  async prepare(accounts: readonly Account[]): Promise<void> {
    this.#forgetOld();
    const rooms = new Set<Interest>();
    for (const { changed } of accounts) for (const interest of changed) if (!interest.event) rooms.add(interest);
    for (const interest of this.#moved) if (!interest.event && interest.muted.length > 0) rooms.add(interest);
    await this.#readRooms([...rooms]);
    const wanted = new Map<string, { shared: AnyShared; rooms: Set<Interest> }>();
    for (const { operation, changed } of accounts) {
      const shared = operation?.shared;
      if (!shared) continue;
      const known = wanted.get(shared.key) ?? { shared, rooms: new Set() };
      wanted.set(shared.key, known);
      for (const interest of changed) if (interest.event && !interest.results.has(shared.key)) known.rooms.add(interest);
    }
    await Promise.all(Array.from(wanted.values(), ({ shared, rooms }) => this.#execute(shared, [...rooms])));
  }

  /** Writes what is ready. `alone` if the account has to execute its next change itself. */
  deliver(account: Account, nowMs: number): 'alone' | 'told' {
    const { operation, sink } = account;
    if (!operation || !sink) return 'told';
    const { shared } = operation;
    if (account.lagMs(nowMs) > deletionsKeptMs) this.#tellAsNew(account);
    if (account.own.size > 0) return 'alone';
    let written = 0;
    for (const interest of account.changed) {
      if (!account.isReady() || account.checking.has(interest.roomId) || !interest.event) break;
      if (!shared) return 'alone';
      if (!interest.results.has(shared.key)) break;
      const result = interest.results.get(shared.key);
      if (result === undefined) return 'alone';
      account.changed.delete(interest);
      account.cursor = interest.event.cursor;
      written += 1;
      sink.write(result);
    }
    if (written === 0) return 'told';
    account.countMoves(written, nowMs);
    this.#onTold(account);
    this.counts.sharedDeliveries += written;
    return 'told';
  }

  async #readRooms(rooms: readonly Interest[]): Promise<void> {
    for (let from = 0; from < rooms.length; from += roomsPerStatement) {
      const some = rooms.slice(from, from + roomsPerStatement).map((interest) => ({ interest, mark: interest.mark }));
      const asked = some.map(({ interest: { roomId, revision } }) => ({ roomId, revision: Number.isFinite(revision) ? revision : 0 }));
      const states = await readMovedRooms(this.#db, asked);
      const nowMs = this.#clock.now();
      for (const { interest, mark } of some) {
        const state = states.get(interest.roomId);
        if (!state || state.row.deletedAt) {
          this.#remove(interest);
          continue;
        }
        this.counts.moves += 1;
        this.#keep(interest, nowMs);
        interest.revision = state.row.headSeq;
        if (state.isTrimmed) this.#tellMemberships(interest);
        const deleted = interest.remember(state.deleted, nowMs);
        const cursor = mark?.cursor ?? '';
        interest.event = { type: 'ViewerRoomChanged', roomId: interest.roomId, cursor, at: new Date(), row: state.row, deleted };
      }
    }
  }

  /** A failure is that of each account alone, which retries it or ends. */
  async #execute(shared: AnyShared, rooms: readonly Interest[]): Promise<void> {
    if (rooms.length === 0) return;
    const events = rooms.map(({ event }) => event as ViewerRoomChanged);
    this.counts.sharedExecutions += events.length;
    const results = await shared.execute(events).catch(() => events.map(() => undefined));
    rooms.forEach((interest, i) => {
      if (interest.event === events[i]) interest.results.set(shared.key, results[i]);
    });
  }

  /** Retention removed messages. How many of them were unread depends on the member. */
  #tellMemberships(interest: Interest): void {
    const mark = interest.mark ?? this.#index.oldestMark();
    for (const account of [...interest.listeners, ...interest.muted]) {
      if (account.ended) continue;
      account.putOwn({ type: 'ViewerMembershipChanged', roomId: interest.roomId }, mark);
      account.touch();
    }
  }

  /** The room was deleted. */
  #remove(interest: Interest): void {
    const mark = this.#index.oldestMark();
    for (const account of [...interest.listeners, ...interest.muted]) {
      if (account.ended) continue;
      this.#index.leave(account, interest);
      account.putOwn({ type: 'ViewerRoomRemoved', roomId: interest.roomId, removalReason: 'DELETED' }, interest.mark ?? mark);
      account.touch();
    }
  }

  /** The account may not know of deletions that are no longer told. */
  #tellAsNew(account: Account): void {
    for (const { roomId, mark } of account.changed) {
      account.putOwn({ type: 'ViewerRoomAdded', roomId }, mark as Mark);
    }
    account.changed.clear();
  }

  #keep(interest: Interest, nowMs: number): void {
    interest.keptAtMs = nowMs;
    this.#moved.delete(interest);
    this.#moved.add(interest);
  }

  #forgetOld(): void {
    const nowMs = this.#clock.now();
    for (const interest of this.#moved) {
      if (nowMs - interest.keptAtMs < resultTtlMs) break;
      this.#moved.delete(interest);
      interest.results.clear();
      interest.event = undefined;
    }
  }
}
