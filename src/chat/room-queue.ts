// A lane for each room with waiting changes. Changes wait in the lane, not for the lock on the room's row, so a room that
// another transaction holds occupies only one connection of the pool, and other rooms are not delayed.

import type { Clock } from '../clock.ts';
import { Lane } from './lane.ts';
import type { Quota } from './quota.ts';

/** Maximum number of changes that wait for one room. */
const maxWaiting = 1000;

/** Rooms by id. Changes of users that are not of one room wait in the same way, by the id of the user. */
export class RoomQueue {
  readonly #options: { readonly clock: Clock; readonly quota: Quota };
  readonly #lanes = new Map<string, Lane>();

  constructor(options: { readonly clock: Clock; readonly quota: Quota }) {
    this.#options = options;
  }

  /** Whether a change to the room is waiting or running. */
  isBusy(roomId: string): boolean {
    return this.#lanes.has(roomId);
  }

  /** The room's lane. The caller adds a change to it at once: the lane is dropped when it becomes idle. */
  lane(roomId: string): Lane {
    const known = this.#lanes.get(roomId);
    if (known) return known;
    const lane = new Lane(maxWaiting, { ...this.#options, onIdle: () => this.#lanes.delete(roomId) });
    this.#lanes.set(roomId, lane);
    return lane;
  }
}
