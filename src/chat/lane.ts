// A queue of changes that run one batch at a time. Users take turns, and the changes of one user run in order. Adjacent
// changes of the same kind run together.

import type { Clock } from '../clock.ts';
import { rateLimited, unavailable } from '../errors.ts';
import { FairQueue } from './fair-queue.ts';
import { maxUnderWay, type Quota } from './quota.ts';

/** A change that has waited this long is not started, because the deadline of its request is about to pass. */
const deadlineMs = 4000;
/** Limits of one statement: the number of changes, and the total length of their text. */
const maxTogether = 512;
const maxCharacters = 512 * 1024;
/** Maximum number of changes of one user in a batch while others use the lane, so that a batch takes about as long as without that user. */
const maxOfUser = 16;
/** How long a lane counts as used by others after the change of another user. */
const sharedMs = 1000;

/** The outcomes of changes that ran together, in order. */
export type Outcomes<Result> = PromiseSettledResult<Result>[];

interface Waiting {
  readonly userId: string;
  readonly item: unknown;
  /** Length of the text to write. Undefined for a change that runs alone. */
  readonly characters: number | undefined;
  readonly deadlineAtMs: number;
  /** Receives the items of all changes that run together. */
  readonly work: (items: unknown[]) => Promise<Outcomes<unknown>>;
  readonly settle: (outcome: PromiseSettledResult<unknown>) => void;
}

interface LaneOptions {
  readonly clock: Clock;
  /** Limits what one user has under way, here and in the other lanes that share it. */
  readonly quota: Quota;
  /** Called when the lane has become empty. */
  readonly onIdle?: () => void;
}

export class Lane {
  readonly #maxWaiting: number;
  readonly #onIdle: () => void;
  readonly #clock: Clock;
  readonly #quota: Quota;
  readonly #waiting = new FairQueue<Waiting>();
  #working = false;
  #lastUserId: string | undefined;
  /** Until then, one user may not fill a batch. */
  #sharedUntilMs = 0;

  /**
   * A change is refused if `maxWaiting` others are waiting, because it would not start in time. A user who has less than an
   * equal share of the places is not refused, because their turn comes soon.
   */
  constructor(maxWaiting: number, { clock, quota, onIdle = () => {} }: LaneOptions) {
    this.#maxWaiting = maxWaiting;
    this.#onIdle = onIdle;
    this.#clock = clock;
    this.#quota = quota;
  }

  /**
   * Runs `work` when the user's turn comes, after the user's earlier changes. Throws RATE_LIMITED if the user has too many
   * changes under way, and UNAVAILABLE if too many changes are waiting or this one has waited too long.
   */
  run<Result>(userId: string, work: () => Promise<Result>): Promise<Result> {
    return this.#add(userId, { item: undefined, characters: undefined, work: () => Promise.allSettled([attempt(work)]) });
  }

  /** Like `run`, for changes that may run together: `work` returns an outcome for each item. */
  runTogether<Item, Result>(
    userId: string,
    item: Item,
    characters: number,
    work: (items: Item[]) => Promise<Outcomes<Result>>,
  ): Promise<Result> {
    return this.#add(userId, { item, characters, work: work as Waiting['work'] });
  }

  async #add<Result>(userId: string, change: Pick<Waiting, 'item' | 'characters' | 'work'>): Promise<Result> {
    if (this.#isFullFor(userId)) throw tooBusy();
    if (!this.#quota.take(userId)) {
      if (!this.#working) this.#onIdle();
      throw tooMany();
    }
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const settle: Waiting['settle'] = (outcome) => {
      this.#quota.free(userId);
      if (outcome.status === 'fulfilled') resolve(outcome.value as Result);
      else reject(outcome.reason);
    };
    const nowMs = this.#clock.now();
    if (userId !== this.#lastUserId) {
      if (this.#lastUserId !== undefined) this.#sharedUntilMs = nowMs + sharedMs;
      this.#lastUserId = userId;
    }
    this.#waiting.add(userId, { ...change, userId, deadlineAtMs: nowMs + deadlineMs, settle });
    if (!this.#working) void this.#work();
    return promise;
  }

  #isFullFor(userId: string): boolean {
    const { size, users } = this.#waiting;
    return size >= this.#maxWaiting && this.#waiting.sizeOf(userId) * users >= this.#maxWaiting;
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      const [first] = batch as [Waiting];
      // An error fails the changes that ran together, not the lane.
      const outcomes = await attempt(() => first.work(batch.map(({ item }) => item))).catch((reason: unknown) =>
        batch.map((): PromiseRejectedResult => ({ status: 'rejected', reason })),
      );
      for (const [index, { settle }] of batch.entries()) settle(outcomes[index] as PromiseSettledResult<unknown>);
    }
    this.#working = false;
    this.#onIdle();
  }

  /** The next changes that run together. Refuses those that have waited too long. */
  #takeBatch(): Waiting[] {
    const nowMs = this.#clock.now();
    const batch: Waiting[] = [];
    const limitOfUser = nowMs < this.#sharedUntilMs ? maxOfUser : maxTogether;
    const ofUser = new Map<string, number>();
    let characters = 0;
    this.#waiting.takeWhile((next) => {
      if (next.deadlineAtMs < nowMs) {
        next.settle({ status: 'rejected', reason: tooBusy() });
        return true;
      }
      const total = characters + (next.characters ?? maxCharacters + 1);
      const count = ofUser.get(next.userId) ?? 0;
      // The others have had as many turns by then.
      const isFull = total > maxCharacters || batch.length === maxTogether || count === limitOfUser;
      if (batch.length > 0 && isFull) return false;
      ofUser.set(next.userId, count + 1);
      characters = total;
      batch.push(next);
      return true;
    });
    return batch;
  }
}

/** Turns a synchronous throw into a rejection. */
const attempt = async <Result>(work: () => Promise<Result>): Promise<Result> => work();

const tooMany = () => rateLimited(`You have ${maxUnderWay} changes under way: wait until some are answered.`);

const tooBusy = () => unavailable('The room is too busy: retry, with the same clientMessageId if there is one.');
