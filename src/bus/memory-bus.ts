// The bus of a single process. It delivers entries in a later turn of the event loop, like a networked bus.

import type { LogEntry } from '../storage/room-log.ts';
import type { Bus, Listener } from './bus.ts';

export class MemoryBus implements Bus {
  readonly healthy = true;
  readonly counts = {};
  readonly #listeners = new Map<string, Set<Listener>>();

  publish(entry: LogEntry): void {
    setImmediate(() => {
      for (const listener of this.#listeners.get(entry.roomId) ?? []) listener(entry);
    });
  }

  async subscribe(roomId: string, listener: Listener): Promise<() => void> {
    const listeners = this.#listeners.get(roomId) ?? new Set();
    this.#listeners.set(roomId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(roomId);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
  }
}
