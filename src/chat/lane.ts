// A queue of changes that run one after the other. Adjacent changes of the same kind run together.

import type { Clock } from '../clock.ts';
import { unavailable } from '../errors.ts';

/** A change that has waited this long is not started, because the deadline of its request is about to pass. */
const deadlineMs = 4000;
/** Limits of one statement: the number of changes, and the total length of their text. */
const maxTogether = 512;
const maxCharacters = 512 * 1024;

/** The outcomes of changes that ran together, in order. */
export type Outcomes<Result> = PromiseSettledResult<Result>[];

interface Waiting {
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
  /** Called when the lane has become empty. */
  readonly onIdle?: () => void;
}

export class Lane {
  readonly #maxWaiting: number;
  readonly #onIdle: () => void;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #working = false;

  /** A change is refused if `maxWaiting` others are waiting, because it would not start in time. */
  constructor(maxWaiting: number, { clock, onIdle = () => {} }: LaneOptions) {
    this.#maxWaiting = maxWaiting;
    this.#onIdle = onIdle;
    this.#clock = clock;
  }

  /** Runs `work` after the changes before it. Throws UNAVAILABLE if too many changes are waiting, or if it has waited too long. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#add({ item: undefined, characters: undefined, work: () => Promise.allSettled([attempt(work)]) });
  }

  /** Like `run`, for changes that may run together: `work` returns an outcome for each item. */
  runTogether<Item, Result>(item: Item, characters: number, work: (items: Item[]) => Promise<Outcomes<Result>>): Promise<Result> {
    return this.#add({ item, characters, work: work as Waiting['work'] });
  }

  async #add<Result>(change: Pick<Waiting, 'item' | 'characters' | 'work'>): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) throw tooBusy();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const settle: Waiting['settle'] = (outcome) =>
      outcome.status === 'fulfilled' ? resolve(outcome.value as Result) : reject(outcome.reason);
    this.#waiting.push({ ...change, deadlineAtMs: this.#clock.now() + deadlineMs, settle });
    if (!this.#working) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#nextIsDue()) {
      const turn = this.#waiting.splice(0, this.#countTogether());
      const [first] = turn as [Waiting];
      // An error fails the changes that ran together, not the lane.
      const outcomes = await attempt(() => first.work(turn.map(({ item }) => item))).catch((reason: unknown) =>
        turn.map((): PromiseRejectedResult => ({ status: 'rejected', reason })),
      );
      for (const [index, { settle }] of turn.entries()) settle(outcomes[index] as PromiseSettledResult<unknown>);
    }
    this.#working = false;
    this.#onIdle();
  }

  /** Refuses the changes that have waited too long. Returns whether any are left. */
  #nextIsDue(): boolean {
    const nowMs = this.#clock.now();
    while (this.#waiting[0] && this.#waiting[0].deadlineAtMs < nowMs) {
      this.#waiting.shift()?.settle({ status: 'rejected', reason: tooBusy() });
    }
    return this.#waiting.length > 0;
  }

  /** Number of changes at the start of the queue that run together. */
  #countTogether(): number {
    let count = 0;
    let characters = 0;
    for (const waiting of this.#waiting) {
      characters += waiting.characters ?? maxCharacters + 1;
      if (count > 0 && (characters > maxCharacters || count === maxTogether)) break;
      count += 1;
    }
    return count;
  }
}

/** Turns a synchronous throw into a rejection. */
const attempt = async <Result>(work: () => Promise<Result>): Promise<Result> => work();

const tooBusy = () => unavailable('The room is too busy: retry, with the same clientMessageId if there is one.');
