// A lane for each room in which something waits. Changes of a room wait for each other there, and not at its row: a room
// that somebody holds locked takes up one connection of the pool, and the other rooms go on.

import { Lane } from './lane.ts';

/** Changes of one room that may wait. */
const maxWaiting = 1000;

export class RoomQueue {
  readonly #lanes = new Map<string, Lane>();

  /** Whether a change of the room is under way. */
  isBusy(roomId: string): boolean {
    return this.#lanes.has(roomId);
  }

  /** The room's lane, in which something is about to wait. */
  lane(roomId: string): Lane {
    const known = this.#lanes.get(roomId);
    if (known) return known;
    const lane = new Lane(maxWaiting, () => this.#lanes.delete(roomId));
    this.#lanes.set(roomId, lane);
    return lane;
  }
}
