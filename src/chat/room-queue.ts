// Changes of one room wait for each other here, and not at its row: a room that somebody holds locked takes up one
// connection of the pool, and the other rooms go on. Sends that wait one behind the other are written together.

import { GaplessError } from '../errors.ts';

/** By then a change is answered: done, or UNAVAILABLE. */
const deadlineMs = 4000;
/** Changes of one room that may wait. More would not be done in time. */
const maxWaiting = 1000;
/** Sends that are written together: with bodies of 4,000 characters, a statement of a megabyte or two. */
const maxTogether = 128;

/** A change that waits for its turn. `work` is handed the items of all that are done with it; alone, its own. */
interface Waiting {
  readonly item: unknown;
  readonly together: boolean;
  readonly work: (items: unknown[]) => Promise<PromiseSettledResult<unknown>[]>;
  readonly settle: (outcome: PromiseSettledResult<unknown>) => void;
}

export class RoomQueue {
  /** By room, in the order in which they came. A room is there while one of its changes waits or is under way. */
  readonly #rooms = new Map<string, Waiting[]>();

  /**
   * Runs `work` when what came before it for this room is done. Throws UNAVAILABLE at once where too much waits already,
   * and at the deadline: work that has not begun by then never does, and work that has may still come to its end.
   */
  run<Result>(roomId: string, work: () => Promise<Result>): Promise<Result> {
    return this.#add(roomId, { item: undefined, together: false, work: () => Promise.allSettled([work()]) });
  }

  /** Like `run`, for what can be done with others of its kind: `work` has an outcome for each item, and does not throw. */
  runTogether<Item, Result>(roomId: string, item: Item, work: (items: Item[]) => Promise<PromiseSettledResult<Result>[]>): Promise<Result> {
    return this.#add(roomId, { item, together: true, work: work as Waiting['work'] });
  }

  async #add<Result>(roomId: string, change: Omit<Waiting, 'settle'>): Promise<Result> {
    const waiting = this.#rooms.get(roomId);
    if (waiting && waiting.length >= maxWaiting) throw tooBusy();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const timer = setTimeout(() => {
      const own = this.#rooms.get(roomId);
      if (own?.includes(entry)) own.splice(own.indexOf(entry), 1);
      reject(tooBusy());
    }, deadlineMs);
    const entry: Waiting = {
      ...change,
      settle(outcome) {
        clearTimeout(timer);
        if (outcome.status === 'fulfilled') resolve(outcome.value as Result);
        else reject(outcome.reason);
      },
    };
    if (waiting) waiting.push(entry);
    else void this.#runAll(roomId, [entry]);
    return promise;
  }

  async #runAll(roomId: string, waiting: Waiting[]): Promise<void> {
    this.#rooms.set(roomId, waiting);
    while (waiting.length > 0) {
      const alone = waiting.findIndex(({ together }) => !together);
      const turn = waiting.splice(0, alone === 0 ? 1 : Math.min(alone === -1 ? maxTogether : alone, maxTogether));
      const outcomes = await (turn[0] as Waiting).work(turn.map(({ item }) => item));
      for (const [index, { settle }] of turn.entries()) settle(outcomes[index] as PromiseSettledResult<unknown>);
    }
    this.#rooms.delete(roomId);
  }
}

const tooBusy = () =>
  new GaplessError('UNAVAILABLE', 'The room is too busy just now: try again, with the same clientMessageId where there is one.', {
    retryAfterMs: 1000,
  });
