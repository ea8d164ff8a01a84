// The bus of a single process. It delivers an entry in a later turn of the event loop, as a real bus does.

import type { LogEntry } from '../storage/room-log.ts';
import type { Bus, Listener, WakeTopic } from './bus.ts';

export class MemoryBus implements Bus {
  readonly healthy = true;
  readonly counts = {};
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #wakes = new Map<WakeTopic, Set<() => void>>();

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

  wake(topic: WakeTopic): void {
    setImmediate(() => {
      for (const listener of this.#wakes.get(topic) ?? []) listener();
    });
  }

  onWake(topic: WakeTopic, listener: () => void): () => void {
    const listeners = this.#wakes.get(topic) ?? new Set();
    this.#wakes.set(topic, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    this.#wakes.clear();
  }
}
