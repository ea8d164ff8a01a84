// Changes of one room wait for each other here, and not at its row: a room that somebody holds locked takes up one
// connection of the pool, and the other rooms go on.

import { GaplessError } from '../errors.ts';

/** By then a change is answered: done, or UNAVAILABLE. */
const deadlineMs = 4500;
/** Changes of one room that may wait. More would not be done in time. */
const maxWaiting = 1000;

export class RoomQueue {
  readonly #rooms = new Map<string, { last: Promise<void>; waiting: number }>();

  /**
   * Runs `work` when what came before it for this room is done. Throws UNAVAILABLE at once where too much waits already,
   * and at the deadline: work that has not begun by then never does, and work that has may still come to its end.
   */
  async run<Result>(roomId: string, work: () => Promise<Result>): Promise<Result> {
    const room = this.#rooms.get(roomId) ?? { last: Promise.resolve(), waiting: 0 };
    if (room.waiting >= maxWaiting) throw tooBusy();
    room.waiting += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(tooBusy());
    }, deadlineMs);
    const turn = room.last.then(() => (late ? undefined : work().then(resolve, reject)));
    room.last = turn.finally(() => {
      clearTimeout(timer);
      room.waiting -= 1;
      if (room.waiting === 0) this.#rooms.delete(roomId);
    });
    this.#rooms.set(roomId, room);
    return promise;
  }
}

const tooBusy = () =>
  new GaplessError('UNAVAILABLE', 'The room is too busy just now: try again, with the same clientMessageId where there is one.', {
    retryAfterMs: 1000,
  });
