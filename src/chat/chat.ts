// The way of every change: lock the room, write, commit, and only then tell the nodes that watch it.

import type { Bus } from '../bus/bus.ts';
import { notFound } from '../errors.ts';
import { type LockedRoom, lockRoom } from '../storage/room-log.ts';
import type { Db, Trx } from '../storage/tables.ts';
import type { RoomQueue } from './room-queue.ts';

/** What the rules of the chat need: where things are kept, how nodes wake each other, and whose turn it is. */
export interface Chat {
  readonly db: Db;
  readonly bus: Bus;
  readonly queue: RoomQueue;
}

/** Runs `work` in a room when its turn has come. */
export async function changeRoom<T>(chat: Chat, roomId: string, work: Work<T>): Promise<T> {
  return chat.queue.run(roomId, () => inRoom(chat, roomId, work));
}

type Work<T> = (room: LockedRoom | undefined, trx: Trx) => Promise<T>;

/** Runs `work` with the room's row locked, in one transaction. `room` is undefined where there is none. */
export async function inRoom<T>(chat: Chat, roomId: string, work: Work<T>): Promise<T> {
  return commit(chat, async (trx) => {
    const room = await lockRoom(trx, roomId);
    return { room, result: await work(room, trx) };
  });
}

/**
 * Runs `work` in a transaction, and tells the nodes that watch its room.
 *
 * 1. The transaction ends: whatever `work` wrote is there, or none of it.
 * 2. Its entries are published, which is neither waited for nor can fail. Before the commit a node would read on and
 *    find nothing; inside it, Redis would hold up the room.
 */
export async function commit<T>(chat: Chat, work: (trx: Trx) => Promise<{ room: LockedRoom | undefined; result: T }>): Promise<T> {
  const { room, result } = await chat.db.transaction().execute(work); // 1
  for (const entry of room?.entries ?? []) chat.bus.publish(entry); // 2
  return result;
}

export const noSuchRoom = () => notFound('There is no such room.', 'roomId');
