// Keeps the past as long as it should be kept. Every node has one; one of them at a time does the work.

import type { Log } from '../log.ts';
import { findRoomToPurge, findRoomToTrim, isCleaner, purgeRoom, trimRoom } from '../storage/retention.ts';
import { lockRoom } from '../storage/room-log.ts';
import { type Chat, commit } from './chat.ts';

const intervalMs = 60_000;
/** How long a deleted room's rows stay, for feeds that have yet to hand over its last entry. */
const purgeAfterMs = 3_600_000;
const dayMs = 86_400_000;

export class Retention implements AsyncDisposable {
  readonly #chat: Chat;
  readonly #retentionDays: number | undefined;
  readonly #log: Log;
  #timer: NodeJS.Timeout;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(chat: Chat, retentionDays: number | undefined, log: Log) {
    this.#chat = chat;
    this.#retentionDays = retentionDays;
    this.#log = log;
    this.#timer = this.#plan();
  }

  /** Removes whatever is old at `now`, batch by batch, unless another node is at it. */
  async clean(now = Date.now()): Promise<void> {
    const trimBefore = this.#retentionDays === undefined ? undefined : new Date(now - this.#retentionDays * dayMs);
    const purgeBefore = new Date(now - purgeAfterMs);
    const { db } = this.#chat;
    const failed: string[] = [];
    while (!this.#closed) {
      const toTrim = trimBefore && (await findRoomToTrim(db, trimBefore, failed));
      const roomId = toTrim ?? (await findRoomToPurge(db, purgeBefore, failed));
      if (roomId === undefined) return;
      try {
        if (!(await this.#cleanRoom(roomId, trimBefore, purgeBefore))) return;
      } catch (error) {
        // A room that somebody holds locked does not keep the others waiting.
        this.#log.warn({ error, roomId }, 'the old history of a room could not be removed; it is tried again');
        failed.push(roomId);
      }
    }
  }

  /** Removes one batch. False where another node is at it. */
  #cleanRoom(roomId: string, trimBefore: Date | undefined, purgeBefore: Date): Promise<boolean> {
    return commit(this.#chat, async (trx) => {
      // Before the room is locked: another node finds out at once, and does not stand among the room's senders.
      if (!(await isCleaner(trx))) return { entries: [], result: false };
      const room = await lockRoom(trx, roomId);
      // As it is under the lock: a room that was to be trimmed may have been deleted this moment.
      const deletedAt = room?.row.deletedAt;
      if (room && deletedAt && deletedAt < purgeBefore) await purgeRoom(room);
      else if (room && !deletedAt && trimBefore) await trimRoom(room, trimBefore);
      return { entries: room?.entries ?? [], result: true };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #plan(): NodeJS.Timeout {
    // Spread out, so that nodes that start together do not all look at once.
    return setTimeout(
      () => {
        this.#running = this.clean()
          .catch((error) => this.#log.error({ error }, 'old history could not be removed; it is tried again'))
          .then(() => {
            if (!this.#closed) this.#timer = this.#plan();
          });
      },
      intervalMs * (0.5 + Math.random()),
    ).unref();
  }
}
