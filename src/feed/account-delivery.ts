// Delivers changes to the accounts of this node, in ticks: at most one in 100 ms, and one at a time. Nobody is shown a room as it is
// after they were removed from it: what was read is delivered only after a later read of the changes, and to those who are
// members then.

import { setImmediate as turn } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { ChangeStream } from '../bus/change-stream.ts';
import type { Clock } from '../clock.ts';
import { findDepartures } from '../storage/accounts.ts';
import type { Storage } from '../storage/database.ts';
import type { Account } from './account.ts';
import type { AccountIndex, Check } from './account-index.ts';
import { AccountRound } from './account-round.ts';
import { AccountTotals } from './account-totals.ts';
import { earlier, type Mark } from './interest.ts';
import type { Retry } from './retry.ts';
import { SharedRound } from './shared-round.ts';

const tickMs = 100;
/** A room with more listeners than `crowd` moves at most once in `crowdMs`. */
const crowd = 1000;
const crowdMs = 1000;
const pairsPerStatement = 1000;
/** Accounts that are told in one turn of the event loop. */
const toldPerTurn = 256;
/** Maximum number of accounts of which something is executed for them alone at the same time. */
const maxRounds = 64;

export type AccountStorage = Pick<Storage, 'feedDb' | 'feedRows'>;

export class AccountDelivery implements Disposable {
  readonly #storage: AccountStorage;
  readonly #changes: ChangeStream;
  readonly #retry: Retry;
  readonly #index: AccountIndex;
  readonly #clock: Clock;
  readonly #shared: SharedRound;
  readonly #own: AccountRound;
  readonly #totals = new AccountTotals();
  readonly #inTurn = pLimit(maxRounds);
  readonly #due = new Set<Account>();
  #planned: Disposable | undefined;
  #isTicking = false;
  #tickedAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(storage: AccountStorage, changes: ChangeStream, retry: Retry, index: AccountIndex, clock: Clock) {
    this.#storage = storage;
    this.#changes = changes;
    this.#retry = retry;
    this.#index = index;
    this.#clock = clock;
    const onTold = (account: Account) => this.#totals.want(account);
    this.#shared = new SharedRound(storage.feedDb, index, clock, onTold);
    this.#own = new AccountRound(storage.feedRows, changes, retry, clock, onTold);
  }

  get counts() {
    return { ...this.#shared.counts, ...this.#own.counts };
  }

  /** There may be something that can be delivered to the account. */
  touch(account: Account): void {
    if (account.ended || account.busy || !account.isPending) return;
    this.#due.add(account);
    this.#plan();
  }

  /** Changes were noted. `accounts` are those that are told of something alone. */
  wake(accounts: readonly Account[]): void {
    for (const account of accounts) this.touch(account);
    if (this.#index.changed.size + this.#index.checks.size > 0) this.#plan();
  }

  /** Called several times a second: tells of what no change in the database tells. */
  sweep(): void {
    for (const account of this.#index.endMutes()) this.touch(account);
    for (const account of this.#totals.take(this.#clock.now())) {
      account.putOwn({ type: 'ViewerChanged', roomId: '' }, this.#index.oldestMark());
      this.touch(account);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#planned?.[Symbol.dispose]();
  }

  #plan(): void {
    if (this.#planned || this.#isTicking || this.#closed) return;
    const waitMs = Math.max(0, this.#tickedAtMs + tickMs - this.#clock.now());
    this.#planned = this.#clock.after(waitMs, () => {
      this.#planned = undefined;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isTicking = true;
    this.#tickedAtMs = this.#clock.now();
    try {
      await this.#retry.run(
        () => this.#tick(),
        () => !this.#closed,
      );
    } catch (error) {
      // This node cannot read what changed. Another node may.
      if (!this.#closed) for (const account of [...this.#index.all()]) account.fail(error);
    }
    this.#isTicking = false;
    if (this.#due.size + this.#index.changed.size + this.#index.checks.size > 0) this.#plan();
  }

  /**
   * What fails leaves everything in its place, for the next attempt.
   *
   * 1. Memberships that changed are read, and the index follows.
   * 2. Rooms that changed are put to the accounts that listen to them.
   * 3. What can be delivered now is read and executed, once for all accounts with the same operation.
   * 4. The changes are read again: who lost a membership before 3 is known afterwards, and skipped.
   * 5. What concerns single accounts is executed beside the ticks, in the same way.
   */
  async #tick(): Promise<void> {
    const mark = this.#index.oldestMark();
    await this.#check([...this.#index.checks.values()], mark); // 1
    // An account that started meanwhile may have brought an earlier change.
    this.#move(earlier(mark, this.#index.oldestMark())); // 2
    const nowMs = this.#clock.now();
    const due = [...this.#due].filter((account) => this.#isDue(account, nowMs));
    const sharing = due.filter(({ own, catchUp }) => own.size === 0 && !catchUp);
    await this.#shared.prepare(sharing); // 3
    if (sharing.length > 0) await this.#changes.read(); // 4
    let told = 0;
    for (const account of due) {
      told += 1;
      // A membership that ends in this time is known before the account has its turn.
      if (told % toldPerTurn === 0) await turn();
      if (account.ended || account.busy || !account.isReady()) continue;
      const isAlone = account.own.size > 0 || account.catchUp !== undefined || this.#shared.deliver(account, nowMs) === 'alone';
      if (isAlone)
        this.#deliverAlone(account); // 5
      else if (!account.isPending) this.#due.delete(account);
    }
  }

  /** Whether something may be delivered to the account in this tick. */
  #isDue(account: Account, nowMs: number): boolean {
    if (account.ended || account.busy || !account.isReady()) {
      // It is touched when its round has ended, its sink is ready, or its rooms were read.
      this.#due.delete(account);
      return false;
    }
    return account.own.size > 0 || account.catchUp !== undefined || account.quietUntilMs <= nowMs;
  }

  #deliverAlone(account: Account): void {
    account.busy = true;
    this.#due.delete(account);
    void this.#inTurn(() => this.#own.run(account))
      .catch((error: unknown) => account.fail(error))
      .finally(() => {
        account.busy = false;
        this.touch(account);
      });
  }

  /** Puts the rooms that changed to their listeners. */
  #move(mark: Mark): void {
    const nowMs = this.#clock.now();
    for (const interest of this.#index.changed) {
      if (interest.listeners.length > crowd && nowMs - interest.movedAtMs < crowdMs) continue;
      this.#index.changed.delete(interest);
      this.#shared.move(interest, mark, nowMs);
      for (const account of interest.listeners) {
        if (account.ended) continue;
        // It will be told of the room as new, as it is then.
        if (!account.busy && account.own.get(interest.roomId)?.type === 'ViewerRoomAdded') continue;
        account.putChanged(interest, nowMs);
        if (!account.busy) this.#due.add(account);
      }
    }
  }

  async #check(checks: readonly Check[], mark: Mark): Promise<void> {
    for (let from = 0; from < checks.length; from += pairsPerStatement) {
      const some = checks.slice(from, from + pairsPerStatement);
      const standings = await Promise.all(some.map(({ userId, roomId }) => this.#storage.feedRows.standing(userId, roomId)));
      const departed = some.filter((_, i) => !standings[i]?.membership);
      const reasons = departed.length > 0 ? await findDepartures(this.#storage.feedDb, departed) : new Map<string, never>();
      some.forEach((check, i) => {
        // It changed again: the next tick reads it.
        if (!this.#index.endCheck(check)) return;
        const standing = standings[i];
        const { userId, roomId } = check;
        for (const account of this.#index.of(userId)) {
          const known = this.#index.find(account, roomId);
          if (!standing?.membership || standing.row.deletedAt) {
            const reason = standing && !standing.row.deletedAt ? (reasons.get(`${userId} ${roomId}`) ?? 'REMOVED') : 'DELETED';
            if (known) this.#index.leave(account, known);
            if (known) account.putOwn({ type: 'ViewerRoomRemoved', roomId, removalReason: reason }, mark);
          } else {
            const mutedUntilMs = standing.membership.mutedUntil?.getTime() ?? 0;
            const isShownAgain = known ? this.#index.setMute(account, known, mutedUntilMs) : true;
            if (!known) this.#index.join(account, { roomId, mutedUntilMs, revision: standing.row.headSeq });
            account.putOwn({ type: isShownAgain ? 'ViewerRoomAdded' : 'ViewerMembershipChanged', roomId }, mark);
          }
          this.touch(account);
        }
      });
    }
  }
}
