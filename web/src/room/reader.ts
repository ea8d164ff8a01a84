// Marks a room as read up to the newest message that the viewer has seen, at most once in two seconds.

import { isPassing } from '../retry.ts';
import type { RoomList } from '../rooms/room-list.ts';

const everyMs = 2000;

export class Reader {
  readonly #rooms: RoomList;
  readonly #roomId: string;
  /** Number of the newest message that was seen. What the viewer marks as unread later is not read again. */
  #through = 0;
  #upTo: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(rooms: RoomList, roomId: string) {
    this.#rooms = rooms;
    this.#roomId = roomId;
  }

  see({ number, cursor }: { readonly number: number; readonly cursor: string }): void {
    if (number <= this.#through) return;
    this.#through = number;
    const { readThrough } = this.#rooms.mine.find(this.#roomId)?.viewerMembership ?? {};
    if (readThrough == null || number <= readThrough) return;
    this.#upTo = cursor;
    if (this.#timer === undefined) void this.#send();
  }

  async #send(): Promise<void> {
    this.#timer = undefined;
    const upTo = this.#upTo;
    if (upTo === undefined) return;
    this.#upTo = undefined;
    this.#wait();
    try {
      await this.#rooms.markRead(this.#roomId, upTo);
    } catch (error) {
      if (!isPassing(error)) return;
      this.#upTo ??= upTo;
      this.#wait();
    }
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.#send(), everyMs);
  }
}
