// Removes old entries and deleted rooms. Every node runs it, but only one node at a time does the work.

import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { accountCursorMs, removeOldDepartures } from '../storage/accounts.ts';
import { removeOldChanges } from '../storage/changes.ts';
import { lockRoom } from '../storage/locked-room.ts';
import { findRoomToPurge, findRoomToTrim, isCleaner, purgeRoom, readClockMs, trimRoom } from '../storage/retention.ts';
import { type Chat, commit } from './chat.ts';

const intervalMs = 60_000;
/** How long the messages and entries of a deleted room stay, for feeds that have not delivered its last entry. */
const purgeAfterMs = 3_600_000;
const dayMs = 86_400_000;

export class Retention implements AsyncDisposable {
  readonly #chat: Chat;
  readonly #retentionDays: number | undefined;
  readonly #log: Log;
  readonly #clock: Clock;
  #timer: Disposable;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(chat: Chat, retentionDays: number | undefined, log: Log, clock: Clock = realClock) {
    this.#chat = chat;
    this.#retentionDays = retentionDays;
    this.#log = log;
    this.#clock = clock;
    this.#timer = this.#plan();
  }

  /** Removes entries and rooms that are old now, by the clock of the database, or at `atMs`, in batches, unless another node is the cleaner. */
  async clean(atMs?: number): Promise<void> {
    const { db } = this.#chat;
    const now = atMs ?? (await readClockMs(db));
    const trimBefore = this.#retentionDays === undefined ? undefined : new Date(now - this.#retentionDays * dayMs);
    const purge = { before: new Date(now - purgeAfterMs), rowBefore: new Date(now - accountCursorMs) };
    const failed: string[] = [];
    while (!this.#closed) {
      const toTrim = trimBefore && (await findRoomToTrim(db, trimBefore, failed));
      const roomId = toTrim ?? (await findRoomToPurge(db, purge.before, purge.rowBefore, failed));
      if (roomId === undefined) break;
      try {
        if (!(await this.#cleanRoom(roomId, trimBefore, purge))) return;
      } catch (error) {
        // A room that another transaction holds must not delay the others.
        this.#log.warn({ error, roomId }, 'the old entries of a room could not be removed; retention retries');
        failed.push(roomId);
      }
    }
    if (this.#closed) return;
    await removeOldDepartures(db, purge.rowBefore);
    try {
      await removeOldChanges(db);
    } catch (error) {
      this.#log.warn({ error }, 'the notes of old changes could not be removed, perhaps because a dump runs; retention retries');
    }
  }

  /** Removes one batch. False if another node is the cleaner. */
  #cleanRoom(roomId: string, trimBefore: Date | undefined, purge: { before: Date; rowBefore: Date }): Promise<boolean> {
    return commit(this.#chat, async (trx) => {
      // Checked before the room is locked, so that a node that is not the cleaner does not wait for the lock.
      if (!(await isCleaner(trx))) return { entries: [], result: false };
      const room = await lockRoom(trx, roomId);
      // Read under the lock: the room may have been deleted since it was found.
      const deletedAt = room?.row.deletedAt;
      if (room && deletedAt && deletedAt < purge.before) await purgeRoom(room, purge.rowBefore);
      else if (room && !deletedAt && trimBefore) await trimRoom(room, trimBefore);
      return { entries: room?.entries ?? [], result: true };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer[Symbol.dispose]();
    await this.#running;
  }

  #plan(): Disposable {
    // Jittered, so that nodes that start together do not run it at the same time.
    return this.#clock.after(intervalMs * (0.5 + Math.random()), () => {
      this.#running = this.clean()
        .catch((error) => this.#log.error({ error }, 'old entries could not be removed; retention retries'))
        .then(() => {
          if (!this.#closed) this.#timer = this.#plan();
        });
    });
  }
}
