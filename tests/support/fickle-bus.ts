// A bus that loses, repeats, delays and reorders entries as a test asks. The contract of `Bus` allows all of it.

import type { Bus, Listener, WakeTopic } from '../../src/bus/bus.ts';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import type { LogEntry } from '../../src/storage/room-log.ts';

export class FickleBus implements Bus {
  /** Handles a published entry. The entry is lost unless `send` is called. */
  deliver: (entry: LogEntry, send: (entry: LogEntry) => void) => void = (entry, send) => send(entry);
  /** While false, heads are checked each second, so that a lost entry with nothing after it is found sooner. */
  healthy = true;
  /** Whether wakes are lost. */
  losesWakes = false;
  readonly counts = {};
  readonly #bus = new MemoryBus();
  readonly #held: LogEntry[] = [];

  publish(entry: LogEntry): void {
    this.deliver(entry, (each) => this.#bus.publish(each));
  }

  /** Holds entries back until `release`. */
  hold(): void {
    this.deliver = (entry) => this.#held.push(entry);
  }

  release(order: (held: LogEntry[]) => LogEntry[] = (held) => held): void {
    this.deliver = (entry, send) => send(entry);
    for (const entry of order(this.#held.splice(0))) this.publish(entry);
  }

  repeat(times: number): void {
    this.deliver = (entry, send) => {
      for (let i = 0; i < times; i += 1) send(entry);
    };
  }

  lose(): void {
    this.deliver = () => {};
  }

  subscribe(roomId: string, listener: Listener): Promise<() => void> {
    return this.#bus.subscribe(roomId, listener);
  }

  wake(topic: WakeTopic): void {
    if (!this.losesWakes) this.#bus.wake(topic);
  }

  onWake(topic: WakeTopic, listener: () => void): () => void {
    return this.#bus.onWake(topic, listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bus[Symbol.asyncDispose]();
  }
}
