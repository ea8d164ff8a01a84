// Delivers what concerns one account alone: rooms that are new in its list, its memberships, removals, and changes whose result
// depends on the viewer. Several are executed together, so that one query loads their rows.

import type { ChangeStream } from '../bus/change-stream.ts';
import type { Clock } from '../clock.ts';
import { isFinal } from '../errors.ts';
import type { Rows } from '../storage/rows.ts';
import type { Account, OwnChange } from './account.ts';
import type { AccountEvent } from './account-event.ts';
import { maxTogether } from './group.ts';
import type { Retry } from './retry.ts';

/** Something to tell, and the event that tells it. */
interface Step {
  readonly event: AccountEvent;
  /** Whether it is still to be told. */
  isWanted(): boolean;
  /** Called before its result is written. */
  done(): void;
}

export class AccountRound {
  readonly #rows: Rows;
  readonly #changes: ChangeStream;
  readonly #retry: Retry;
  readonly #clock: Clock;
  readonly #onTold: (account: Account) => void;
  /** Counters for operators: events that were executed for one account, and deliveries of them. */
  readonly counts = { ownExecutions: 0, ownDeliveries: 0 };

  constructor(rows: Rows, changes: ChangeStream, retry: Retry, clock: Clock, onTold: (account: Account) => void) {
    this.#rows = rows;
    this.#changes = changes;
    this.#retry = retry;
    this.#clock = clock;
    this.#onTold = onTold;
  }

  /**
   * Tells the account what concerns it alone, until nothing is left or its sink is full. Rejects if it cannot be told.
   *
   * 1. The state is read and executed.
   * 2. The changes are read: who lost a membership before 1 is known afterwards.
   * 3. Without waiting in between, what is still wanted is delivered.
   */
  async run(account: Account): Promise<void> {
    while (account.isReady()) {
      const steps = await this.#retried(account, () => this.#next(account));
      if (steps.length === 0) return;
      const results = await this.#execute(account, steps); // 1
      const showsRooms = steps.some(({ event }) => 'row' in event || 'membership' in event);
      if (showsRooms) await this.#retried(account, () => this.#changes.read()); // 2
      let isStopped = false;
      steps.forEach((step, i) => {
        if (isStopped || !step.isWanted()) return;
        const result = results[i];
        if (!account.isReady()) isStopped = true;
        else {
          step.done();
          account.cursor = step.event.cursor;
          if (result === undefined) return;
          this.counts.ownDeliveries += 1;
          account.sink?.write(result);
          if (step.event.type !== 'ViewerChanged') this.#onTold(account);
        }
      });
      if (isStopped || account.checking.size > 0) return;
    }
  }

  #retried<T>(account: Account, work: () => Promise<T>): Promise<T> {
    return this.#retry.run(work, () => !account.ended);
  }

  /** The next steps: what is the account's own, then `ViewerCaughtUp`, then changes. Empty if there is nothing that can be told now. */
  async #next(account: Account): Promise<readonly Step[]> {
    const own = [...account.own.values()].filter(({ roomId }) => !account.checking.has(roomId)).slice(0, maxTogether);
    if (own.length > 0) return this.#ownSteps(account, own);
    if (account.own.size > 0) return [];
    if (account.catchUp) return [this.#catchUpStep(account)];
    return this.#changedSteps(account);
  }

  async #ownSteps(account: Account, changes: readonly OwnChange[]): Promise<readonly Step[]> {
    const { userId } = account;
    const cursor = account.ownCursor();
    const steps = await Promise.all(
      changes.map(async (change): Promise<Step | undefined> => {
        const event = await this.#eventOf(change, userId, cursor);
        const { roomId } = change;
        const isWanted = () => account.own.get(roomId) === change && !account.checking.has(roomId);
        if (event) return { event, isWanted, done: () => account.own.delete(roomId) };
        // The viewer is not a member any more. That change is on its way, and tells so.
        await this.#changes.read();
        if (isWanted()) account.own.delete(roomId);
        return undefined;
      }),
    );
    return steps.filter((step) => step !== undefined);
  }

  async #eventOf(change: OwnChange, userId: string, cursor: string): Promise<AccountEvent | undefined> {
    const told = { cursor, at: new Date() };
    if (change.type === 'ViewerChanged') return { type: change.type, userId, ...told };
    if (change.type === 'ViewerRoomRemoved') return { ...change, ...told };
    const { type, roomId } = change;
    const standing = await this.#rows.standing(userId, roomId);
    if (!standing?.membership || standing.row.deletedAt) return undefined;
    return { type, roomId, row: standing.row, membership: standing.membership, ...told };
  }

  #catchUpStep(account: Account): Step {
    const { catchUp } = account;
    return {
      event: { type: 'ViewerCaughtUp', cursor: catchUp?.cursor ?? account.cursor, at: new Date(), complete: catchUp?.complete ?? false },
      isWanted: () => account.own.size === 0 && account.catchUp === catchUp,
      done: () => {
        account.catchUp = undefined;
      },
    };
  }

  /** Changes whose result depends on the viewer. One that can be delivered in a tick is left to it. */
  #changedSteps(account: Account): readonly Step[] {
    const { operation, generation } = account;
    const steps: Step[] = [];
    for (const interest of account.changed) {
      const { event, mark, results, roomId } = interest;
      const key = operation?.shared?.key;
      const isAlone = key === undefined || (results.has(key) && results.get(key) === undefined);
      if (!event || !isAlone || account.checking.has(roomId) || steps.length === maxTogether) break;
      const isWanted = () =>
        account.generation === generation && account.own.size === 0 && account.changed.has(interest) && !account.checking.has(roomId);
      const done = () => {
        // What changed meanwhile is told again.
        if (interest.mark === mark) account.changed.delete(interest);
        account.countMoves(1, this.#clock.now());
      };
      steps.push({ event, isWanted, done });
    }
    return steps;
  }

  /** The results, in order. Undefined for a step that failed and is not wanted any more. */
  async #execute(account: Account, steps: readonly Step[]): Promise<readonly unknown[]> {
    const { operation } = account;
    if (!operation) return [];
    this.counts.ownExecutions += steps.length;
    const events = steps.map(({ event }) => event);
    if (steps.length > 1) {
      const together = await operation.execute(events).catch(() => undefined);
      if (together) return together;
    }
    const results: unknown[] = [];
    for (const step of steps) results.push(await this.#executeAlone(account, step));
    return results;
  }

  async #executeAlone(account: Account, step: Step): Promise<unknown> {
    try {
      const execute = async () => (await account.operation?.execute([step.event]))?.[0];
      return await this.#retried(account, execute);
    } catch (error) {
      if (!isFinal(error)) throw error;
      // A membership or room that ended while it was executed looks like an error of the request.
      await this.#retried(account, () => this.#changes.read());
      if (step.isWanted()) throw error;
      return undefined;
    }
  }
}
