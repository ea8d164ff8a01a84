// The way of every change: lock the room, write, commit, and only then tell the nodes that watch it.

import type { Bus } from '../bus/bus.ts';
import { notFound } from '../errors.ts';
import { type LockedRoom, type LogEntry, lockRoom } from '../storage/room-log.ts';
import type { Db, Trx } from '../storage/tables.ts';
import { Lane } from './lane.ts';
import { RoomQueue } from './room-queue.ts';

/** Sends of all rooms that may wait on a node: a second's worth, where the database is well. */
const maxWaitingSends = 10_000;

/** What the rules of the chat need: where things are kept, how nodes wake each other, and whose turn it is. */
export interface Chat {
  readonly db: Db;
  readonly bus: Bus;
  /** Sends, whatever their room. */
  readonly sends: Lane;
  /** Every other change, and the sends of a room that somebody holds. */
  readonly rooms: RoomQueue;
}

export const openChat = (db: Db, bus: Bus): Chat => ({ db, bus, sends: new Lane(maxWaitingSends), rooms: new RoomQueue() });

/** Runs `work` when its turn in the room has come, with the room's row locked. `room` is undefined where there is none. */
export async function changeRoom<T>(chat: Chat, roomId: string, work: (room: LockedRoom | undefined, trx: Trx) => Promise<T>): Promise<T> {
  return chat.rooms.lane(roomId).run(() =>
    commit(chat, async (trx) => {
      const room = await lockRoom(trx, roomId);
      const result = await work(room, trx);
      return { entries: room?.entries ?? [], result };
    }),
  );
}

/**
 * Runs `work` in a transaction, and tells the nodes that watch.
 *
 * 1. The transaction ends: whatever `work` wrote is there, or none of it.
 * 2. Its entries are published, which is neither waited for nor can fail. Before the commit a node would read on and
 *    find nothing; inside it, Redis would hold up the room.
 */
export async function commit<T>(chat: Chat, work: (trx: Trx) => Promise<{ entries: readonly LogEntry[]; result: T }>): Promise<T> {
  const { entries, result } = await chat.db.transaction().execute(work); // 1
  publish(chat, entries); // 2
  return result;
}

/** Tells the nodes that watch of entries that are committed. */
export function publish({ bus }: Chat, entries: readonly LogEntry[]): void {
  for (const entry of entries) bus.publish(entry);
}

export const noSuchRoom = () => notFound('There is no such room.', 'roomId');
