// The writers. Each writes into every room. In a room it has one operation at a time: the next one waits for the outcome. The
// rate is over all writers and rooms, and a locked room delays only the writes into it.

import { randomUUID } from 'node:crypto';
import { answerTimeoutMs } from './api.ts';
import type { Outbox, OutgoingMessage, Sent } from './outbox.ts';

const tickMs = 20;
/** Maximum backlog, in seconds, that is sent after all writers were busy. A longer one would cause a burst. */
const maxBacklogSeconds = 0.5;
/** Share of messages that have nearly the maximum length. */
const longShare = 0.02;
const longChars = 3800;

/** One writer in one room. */
export type RoomWriter = Pick<OutgoingMessage, 'room' | 'writer' | 'request'>;

export class Writers {
  /** Messages a second, over all writers. Infinity: each sends as fast as it is answered. */
  rate: number;
  /** Share of messages that are edited or deleted afterwards. */
  changeShare: number;
  readonly #outbox: Outbox;
  readonly #random: () => number;
  readonly #idle: RoomWriter[];
  readonly #busy = new Map<RoomWriter, string>();
  readonly #timer: NodeJS.Timeout;
  #due = 0;
  #tickedAt = performance.now();
  #stopped = false;

  constructor(outbox: Outbox, roomWriters: readonly RoomWriter[], options: { rate: number; changeShare: number; random: () => number }) {
    this.#outbox = outbox;
    this.#idle = [...roomWriters];
    this.rate = options.rate;
    this.changeShare = options.changeShare;
    this.#random = options.random;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Sends nothing new. Resolves when the outcome of everything that was sent is known. */
  async stop(timeoutMs = 6 * answerTimeoutMs): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const deadline = performance.now() + timeoutMs;
    while (this.#busy.size > 0) {
      if (performance.now() > deadline) {
        const [[roomWriter, key]] = this.#busy as unknown as [[RoomWriter, string]];
        throw new Error(
          `After ${timeoutMs} ms the outcome of ${this.#busy.size} messages is unknown, such as ${key} in ${roomWriter.room}.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
  }

  #tick(): void {
    const at = performance.now();
    // Never zero: zero times an infinite rate is NaN.
    const seconds = Math.max(at - this.#tickedAt, 0.001) / 1000;
    this.#due = Math.min(this.#due + this.rate * seconds, Math.max(1, this.rate * maxBacklogSeconds));
    this.#tickedAt = at;
    while (this.#due >= 1 && this.#idle.length > 0) {
      this.#due -= 1;
      this.#write(this.#idle.shift() as RoomWriter);
    }
  }

  #write(roomWriter: RoomWriter): void {
    const key = randomUUID();
    this.#busy.set(roomWriter, key);
    void this.#work(roomWriter, key).finally(() => {
      this.#busy.delete(roomWriter);
      this.#idle.push(roomWriter);
      if (this.rate === Number.POSITIVE_INFINITY && !this.#stopped) this.#tick();
    });
  }

  async #work(roomWriter: RoomWriter, key: string): Promise<void> {
    const long = this.#random() < longShare ? ` ${'long '.repeat(longChars / 5)}` : '';
    const outgoing: OutgoingMessage = { ...roomWriter, key, body: `${key} hello${long}` };
    const sent = await this.#outbox.send(outgoing);
    if (sent && this.#random() < this.changeShare) await this.#change(outgoing, sent);
  }

  #change(outgoing: OutgoingMessage, { id }: Sent): Promise<void> {
    return this.#outbox.change(outgoing, id, this.#random() < 0.5 ? undefined : `${outgoing.key} edited`);
  }
}
