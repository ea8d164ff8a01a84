// A queue of changes that are made one after the other. Those of a kind that stand behind each other are made together.

import { GaplessError } from '../errors.ts';

/** A change that has waited for so long is not begun any more: whoever asked for it is about to be told UNAVAILABLE. */
const deadlineMs = 4000;
/** What is written by one statement: so many changes, of so much text. */
const maxTogether = 512;
const maxCharacters = 512 * 1024;

/** What comes of each of the changes that are made together, in their order. */
export type Outcomes<Result> = PromiseSettledResult<Result>[];

/** A change that waits for its turn. `work` is handed the items of all that are made with it; alone, its own. */
interface Waiting {
  readonly item: unknown;
  /** How much text it has to be written. Undefined for a change that is made alone. */
  readonly characters: number | undefined;
  readonly deadline: number;
  readonly work: (items: unknown[]) => Promise<Outcomes<unknown>>;
  readonly settle: (outcome: PromiseSettledResult<unknown>) => void;
}

export class Lane {
  readonly #maxWaiting: number;
  readonly #onIdle: () => void;
  readonly #waiting: Waiting[] = [];
  #working = false;

  /** Of more than `maxWaiting`, the last would not be made in time. `onIdle` is called when nothing waits any more. */
  constructor(maxWaiting: number, onIdle: () => void = () => {}) {
    this.#maxWaiting = maxWaiting;
    this.#onIdle = onIdle;
  }

  /**
   * Runs `work` when what came before it is done. Throws UNAVAILABLE at once where too much waits already, and where its
   * turn comes too late.
   */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#add({ item: undefined, characters: undefined, work: () => Promise.allSettled([work()]) });
  }

  /** Like `run`, for what can be done with others of its kind: `work` has an outcome for each item, and does not throw. */
  runTogether<Item, Result>(item: Item, characters: number, work: (items: Item[]) => Promise<Outcomes<Result>>): Promise<Result> {
    return this.#add({ item, characters, work: work as Waiting['work'] });
  }

  async #add<Result>(change: Pick<Waiting, 'item' | 'characters' | 'work'>): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) throw tooBusy();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const settle: Waiting['settle'] = (outcome) =>
      outcome.status === 'fulfilled' ? resolve(outcome.value as Result) : reject(outcome.reason);
    this.#waiting.push({ ...change, deadline: performance.now() + deadlineMs, settle });
    if (!this.#working) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#nextIsDue()) {
      const turn = this.#waiting.splice(0, this.#countTogether());
      const outcomes = await (turn[0] as Waiting).work(turn.map(({ item }) => item));
      for (const [index, { settle }] of turn.entries()) settle(outcomes[index] as PromiseSettledResult<unknown>);
    }
    this.#working = false;
    this.#onIdle();
  }

  /** Turns away what has waited for too long, and tells whether anything is left. */
  #nextIsDue(): boolean {
    const now = performance.now();
    while (this.#waiting[0] && this.#waiting[0].deadline < now) this.#waiting.shift()?.settle({ status: 'rejected', reason: tooBusy() });
    return this.#waiting.length > 0;
  }

  /** How many from the front are made together. */
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

const tooBusy = () =>
  new GaplessError('UNAVAILABLE', 'The room is too busy just now: try again, with the same clientMessageId where there is one.', {
    retryAfterMs: 1000,
  });
