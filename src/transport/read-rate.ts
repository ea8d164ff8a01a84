// How fast the messages of each client are read from all its sockets together. Each byte costs time to decode and parse, also if
// the message is refused: many sockets, each within its own rate, would keep the node busy.

import type { Clock } from '../clock.ts';

/** Bytes that are read from a client in a second, and at once after a pause. */
const bytesPerSecond = 4 * 1024 * 1024;
/** Shorter messages are not counted, so that they cost nothing. The rate of messages bounds them. */
const shortBytes = 1024;

/** The longest time for which nothing is read. A client that is not read for much longer seems to leave pings unanswered. */
const maxPauseMs = 10_000;

interface Client {
  /** Negative after a flood. */
  bytes: number;
  atMs: number;
}

export class ReadRate {
  readonly #clock: Clock;
  /** The clients who may not read all bytes at once again yet. */
  readonly #clients = new Map<string, Client>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a message. Returns for how many milliseconds nothing more should be read from the socket that it came over. */
  count(key: string, bytes: number): number {
    if (bytes < shortBytes) return 0;
    const client = this.#clientOf(key);
    this.#refill(client);
    client.bytes -= bytes;
    return client.bytes >= 0 ? 0 : Math.min((-client.bytes * 1000) / bytesPerSecond, maxPauseMs);
  }

  #clientOf(key: string): Client {
    const known = this.#clients.get(key);
    if (known) return known;
    const client = { bytes: bytesPerSecond, atMs: this.#clock.now() };
    this.#clients.set(key, client);
    this.#forget(key, client);
    return client;
  }

  #refill(client: Client): void {
    const nowMs = this.#clock.now();
    client.bytes = Math.min(client.bytes + ((nowMs - client.atMs) * bytesPerSecond) / 1000, bytesPerSecond);
    client.atMs = nowMs;
  }

  /** Forgets the client once it may read all bytes at once. */
  #forget(key: string, client: Client): void {
    this.#clock.after(1000, () => {
      this.#refill(client);
      if (client.bytes === bytesPerSecond) this.#clients.delete(key);
      else this.#forget(key, client);
    });
  }
}
