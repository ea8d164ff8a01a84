// The writers. Each has a lane into each room, and a lane has one operation at a time: the next one waits for the outcome.
// The rate is over all lanes; a locked room stops only its own lanes.

import { randomUUID } from 'node:crypto';
import { answerTimeoutMs } from './api.ts';
import type { Letter, Outbox, Sent } from './outbox.ts';

const tickMs = 20;
/** Limit on what is made up for after every lane was busy. More would be a burst. */
const maxOwedSeconds = 0.5;
/** Share of messages that have nearly the maximum length. */
const longShare = 0.02;
const longChars = 3800;

/** A writer in a room. */
export type Lane = Pick<Letter, 'room' | 'writer' | 'ask'>;

export class Writers {
  /** Messages a second, over all lanes. Infinity: each lane sends as fast as it is answered. */
  rate: number;
  /** Share of messages that are edited or deleted afterwards. */
  changeShare: number;
  readonly #outbox: Outbox;
  readonly #random: () => number;
  readonly #idle: Lane[];
  readonly #busy = new Map<Lane, string>();
  readonly #timer: NodeJS.Timeout;
  #owed = 0;
  #tickedAt = performance.now();
  #stopped = false;

  constructor(outbox: Outbox, lanes: readonly Lane[], options: { rate: number; changeShare: number; random: () => number }) {
    this.#outbox = outbox;
    this.#idle = [...lanes];
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
        const [[lane, key]] = this.#busy as unknown as [[Lane, string]];
        throw new Error(`After ${timeoutMs} ms the outcome of ${this.#busy.size} messages is unknown, such as ${key} in ${lane.room}.`);
      }
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
  }

  #tick(): void {
    const at = performance.now();
    // Never zero: zero times an infinite rate is NaN.
    const seconds = Math.max(at - this.#tickedAt, 0.001) / 1000;
    this.#owed = Math.min(this.#owed + this.rate * seconds, Math.max(1, this.rate * maxOwedSeconds));
    this.#tickedAt = at;
    while (this.#owed >= 1 && this.#idle.length > 0) {
      this.#owed -= 1;
      this.#write(this.#idle.shift() as Lane);
    }
  }

  #write(lane: Lane): void {
    const key = randomUUID();
    this.#busy.set(lane, key);
    void this.#work(lane, key).finally(() => {
      this.#busy.delete(lane);
      this.#idle.push(lane);
      if (this.rate === Number.POSITIVE_INFINITY && !this.#stopped) this.#tick();
    });
  }

  async #work(lane: Lane, key: string): Promise<void> {
    const long = this.#random() < longShare ? ` ${'long '.repeat(longChars / 5)}` : '';
    const letter: Letter = { ...lane, key, body: `${key} hello${long}` };
    const sent = await this.#outbox.send(letter);
    if (sent && this.#random() < this.changeShare) await this.#change(letter, sent);
  }

  #change(letter: Letter, { id }: Sent): Promise<void> {
    return this.#outbox.change(letter, id, this.#random() < 0.5 ? undefined : `${letter.key} edited`);
  }
}
