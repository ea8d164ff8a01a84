// The account streams of this node. An account is registered before its rooms are read, so that a change is either in what was
// read or comes afterwards.

import DataLoader from 'dataloader';
import pLimit from 'p-limit';
import type { ChangeStream, NewChanges } from '../bus/change-stream.ts';
import { type Clock, every, realClock } from '../clock.ts';
import { type AccountState, accountCursorMs, accountsPerStatement, readAccounts } from '../storage/accounts.ts';
import { decodeMoment, encodeMoment, expiredCursor, type Moment } from '../storage/cursor.ts';
import { type Epoch, isKept, readEpochs } from '../storage/epochs.ts';
import { Account, type AccountHost, type AccountStart } from './account.ts';
import { AccountDelivery, type AccountStorage } from './account-delivery.ts';
import { AccountFanOut } from './account-fan-out.ts';
import { AccountIndex } from './account-index.ts';
import { totalsMs } from './account-totals.ts';
import type { Mark } from './interest.ts';
import type { Retry } from './retry.ts';

/** Maximum number of statements at once that read the rooms of accounts. They share four connections with everything that feeds read. */
const maxStatements = 2;
/** Accounts that start within this time share statements. */
const gatherMs = 5;

/** An account whose rooms are to be read: a new one, or one that may have missed changes. */
interface Request {
  readonly start: AccountStart;
  readonly after: Moment | undefined;
  readonly stale: Account | undefined;
}

/** What changed while a statement ran. */
interface Record {
  readonly rooms: Set<string>;
  readonly memberships: { readonly userId: string; readonly roomId: string }[];
  readonly users: Set<string>;
  after: Mark | undefined;
  isComplete: boolean;
}

export class Accounts implements AccountHost, Disposable {
  readonly #storage: AccountStorage;
  readonly #changes: ChangeStream;
  readonly #retry: Retry;
  readonly #index = new AccountIndex();
  readonly #delivery: AccountDelivery;
  readonly #cleanup = new DisposableStack();
  readonly #records = new Set<Record>();
  readonly #starting: DataLoader<Request, Account>;
  readonly #inTurn = pLimit(maxStatements);
  readonly fanOut = new AccountFanOut();
  #epochs: readonly Epoch[] = [];
  #watching: Disposable | undefined;
  /** Statements that are under way. */
  #underWay = 0;
  #closed = false;
  /** Counters for operators: statements that read the rooms of accounts, and accounts whose rooms were read again. */
  readonly #counts = { starts: 0, restarts: 0 };

  constructor(storage: AccountStorage, changes: ChangeStream, retry: Retry, clock: Clock = realClock) {
    this.#storage = storage;
    this.#changes = changes;
    this.#retry = retry;
    this.#delivery = new AccountDelivery(storage, changes, retry, this.#index, clock);
    this.#starting = new DataLoader((requests) => this.#inTurn(() => this.#start(requests)), {
      cache: false,
      maxBatchSize: accountsPerStatement,
      batchScheduleFn: (dispatch) => void clock.after(gatherMs, dispatch),
    });
    this.#cleanup.use(changes.follow((news) => this.#receive(news)));
    this.#cleanup.use(every(clock, totalsMs, () => this.#delivery.sweep()));
    this.#index.markAt(changes.moment);
  }

  get size(): number {
    return this.#index.size;
  }

  get counts() {
    return { ...this.#counts, ...this.#delivery.counts };
  }

  /** Opens the account of a viewer. Throws CURSOR_INVALID, or CURSOR_EXPIRED if the cursor is older than 30 days. */
  async open(start: AccountStart): Promise<Account> {
    const after = start.after === undefined ? undefined : decodeMoment(start.after);
    return this.#starting.load({ start, after, stale: undefined });
  }

  begin(account: Account): void {
    const { shared } = account.operation ?? {};
    if (shared) this.fanOut.join(shared.key);
    this.touch(account);
  }

  end(account: Account): void {
    const { shared } = account.operation ?? {};
    if (shared) this.fanOut.leave(shared.key);
    this.#index.remove(account);
    this.#stopWatching();
  }

  touch(account: Account): void {
    this.#delivery.touch(account);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cleanup.dispose();
    this.#delivery[Symbol.dispose]();
    for (const account of [...this.#index.all()]) account.stop();
    this.#watching?.[Symbol.dispose]();
  }

  #receive(changes: NewChanges): void {
    const after = this.#index.markAt(changes.after);
    for (const record of this.#records) {
      record.after ??= after;
      record.isComplete &&= changes.complete;
      for (const roomId of changes.rooms) record.rooms.add(roomId);
      record.memberships.push(...changes.memberships);
      for (const userId of changes.users) record.users.add(userId);
    }
    // The moment after these changes is the mark before the next ones.
    this.#index.note(changes, after);
    this.#index.markAt(changes.moment);
    if (!changes.complete) {
      this.#index.clearAll();
      for (const account of [...this.#index.all()]) this.#restart(account);
    }
    this.#delivery.wake(changes.users.flatMap((userId) => [...this.#index.of(userId)]));
  }

  /** Reads all rooms of an account again, which is then told of them as if it were new. */
  #restart(account: Account): void {
    if (account.stale) return;
    account.stale = true;
    this.#counts.restarts += 1;
    const { userId, includeMuted, wantsTotals } = account;
    const request = { start: { userId, includeMuted, wantsTotals, after: undefined }, after: undefined, stale: account };
    this.#retry
      .run(
        () => this.#starting.load(request),
        () => !account.ended && !this.#closed,
      )
      .catch((error: unknown) => account.fail(error));
  }

  /**
   * 1. What changes from now on is recorded.
   * 2. The rooms are read.
   * 3. Without waiting in between, the accounts get the rooms and what was recorded, and are part of the index from then on.
   */
  async #start(requests: readonly Request[]): Promise<(Account | Error)[]> {
    const record: Record = { rooms: new Set(), memberships: [], users: new Set(), after: undefined, isComplete: true };
    this.#underWay += 1;
    try {
      await this.#watch();
      this.#records.add(record); // 1
      this.#counts.starts += 1;
      const users = requests.map(({ start, after }) => ({ userId: start.userId, after }));
      const { moment, accounts } = await readAccounts(this.#storage.feedDb, users); // 2
      await this.#learnEpochs([moment, ...requests.map(({ after }) => after)]);
      return requests.map((request, i) => this.#apply(request, accounts[i] as AccountState, moment, record)); // 3
    } finally {
      this.#underWay -= 1;
      this.#records.delete(record);
      this.#stopWatching();
    }
  }

  /** Follows the changes. Those of the time without accounts are read before, so that nobody is told of them. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = this.#changes.watchRooms();
    await this.#changes.read();
  }

  async #learnEpochs(moments: readonly (Moment | undefined)[]): Promise<void> {
    const isKnown = (moment: Moment | undefined) => !moment || this.#epochs.some(({ tag }) => tag === moment.epoch);
    if (!moments.every(isKnown)) this.#epochs = await readEpochs(this.#storage.feedDb);
  }

  #apply({ start, after, stale }: Request, state: AccountState, moment: Moment, record: Record): Account | Error {
    if (after && (moment.atSeconds - after.atSeconds) * 1000 > accountCursorMs) return expiredCursor();
    const account = stale ?? new Account(this, start, start.after ?? encodeMoment(moment));
    if (account.ended) return account;
    if (stale) this.#index.clear(stale);
    else this.#index.add(account);
    const complete = stale !== undefined || (after !== undefined && isKept(this.#epochs, after) !== true);
    const before = this.#index.oldestMark();
    for (const room of state.rooms) {
      this.#index.join(account, room);
      if (complete || room.isChanged) account.putOwn({ type: 'ViewerRoomAdded', roomId: room.roomId }, before);
    }
    if (stale) {
      for (const { roomId } of state.rooms) stale.former.delete(roomId);
      for (const roomId of stale.former)
        if (roomId !== '') account.putOwn({ type: 'ViewerRoomRemoved', roomId, removalReason: 'REMOVED' }, before);
      stale.former.clear();
    }
    if (!complete) {
      for (const { roomId, reason } of state.removed) {
        account.putOwn({ type: 'ViewerRoomRemoved', roomId, removalReason: reason }, before);
      }
    }
    account.catchUp = { cursor: encodeMoment(moment), complete };
    account.stale = false;
    if (record.after) this.#applyRecord(account, record, record.after);
    if (!record.isComplete) this.#restart(account);
    else if (stale) this.touch(account);
    return account;
  }

  #applyRecord(account: Account, record: Record, after: Mark): void {
    const { userId } = account;
    for (const interest of account.rooms) if (record.rooms.has(interest.roomId)) this.#index.noteRoom(interest, after);
    for (const each of record.memberships) if (each.userId === userId) this.#index.noteMembership(userId, each.roomId, after);
    if (record.users.has(userId)) account.putOwn({ type: 'ViewerChanged', roomId: '' }, after);
    this.#delivery.wake([account]);
  }

  #stopWatching(): void {
    if (this.size > 0 || this.#underWay > 0 || !this.#watching) return;
    this.#watching[Symbol.dispose]();
    this.#watching = undefined;
  }
}
