// Runs every change: lock the room, write, commit, and only then publish.

import type { Bus } from '../bus/bus.ts';
import { realClock } from '../clock.ts';
import { type LockedRoom, lockRoom } from '../storage/locked-room.ts';
import type { LogEntry } from '../storage/room-log.ts';
import type { Db, Trx } from '../storage/tables.ts';
import { requireUsers } from './gone-user.ts';
import { Lane } from './lane.ts';
import { Quota } from './quota.ts';
import { RoomQueue } from './room-queue.ts';

/** Maximum number of waiting sends per node: about as many as a healthy database writes in a second. */
const maxWaitingSends = 10_000;

/** The dependencies of changes: the database, the bus, and the queues. */
export interface Chat {
  readonly db: Db;
  readonly bus: Bus;
  /** Sends to all rooms. */
  readonly sends: Lane;
  /** All other changes, and sends to a room that another transaction holds. */
  readonly rooms: RoomQueue;
}

export function openChat(db: Db, bus: Bus, clock = realClock): Chat {
  const options = { clock, quota: new Quota() };
  return { db, bus, sends: new Lane(maxWaitingSends, options), rooms: new RoomQueue(options) };
}

/** Runs `work` in the room's lane, with the room's row locked. `room` is undefined if there is no such room. Users without a row: see requireUsers. */
export async function changeRoom<T>(
  chat: Chat,
  viewerId: string,
  roomId: string,
  work: (room: LockedRoom | undefined, trx: Trx) => Promise<T>,
  field?: string,
): Promise<T> {
  const change = () =>
    chat.rooms.lane(roomId).run(viewerId, () =>
      commit(chat, async (trx) => {
        const room = await lockRoom(trx, roomId);
        const result = await work(room, trx);
        return { entries: room?.entries ?? [], result };
      }),
    );
  return requireUsers(chat.db, viewerId, change, field);
}

/**
 * Runs `work` in a transaction and publishes its entries.
 *
 * 1. The transaction commits.
 * 2. The entries are published. This does not fail and is not waited for. Published before the commit, a node would read
 *    the log and find nothing; inside the transaction, a slow Redis would keep the room locked.
 */
export async function commit<T>(chat: Chat, work: (trx: Trx) => Promise<{ entries: readonly LogEntry[]; result: T }>): Promise<T> {
  const { entries, result } = await chat.db.transaction().execute(work); // 1
  publish(chat, entries); // 2
  return result;
}

/** Publishes committed entries to the nodes that watch their rooms. */
export function publish({ bus }: Chat, entries: readonly LogEntry[]): void {
  for (const entry of entries) bus.publish(entry);
}
