// How often the client of one WebSocket may send. An operation above the rate is refused, and costs the socket nothing. A client
// that floods the socket, with messages of any kind, is read more slowly.

import type { Clock } from '../clock.ts';

export interface MessageRateBounds {
  /** Operations that a client may begin on one socket in a second. Infinity for no limit. */
  readonly operationsPerSecond: number;
  /** Operations that a client may begin at once after a pause. */
  readonly operationBurst: number;
}

/** Bytes that are read from one socket in a second, and at once after a pause, whatever the limits. Each costs time to decode. */
const bytesPerSecond = 4 * 1024 * 1024;
/** Messages of all kinds, refused operations included, that are read for each operation that may begin. */
const messagesPerOperation = 10;
/** The longest time for which nothing is read. A client that is not read for much longer seems to leave pings unanswered. */
const maxPauseMs = 10_000;

/** Two token buckets (https://en.wikipedia.org/wiki/Token_bucket): of operations, and of messages. */
export class MessageRate {
  readonly #bounds: MessageRateBounds;
  readonly #clock: Clock;
  #operations: number;
  /** Negative after a flood: all messages of a packet are processed. */
  #messages: number;
  #atMs: number;
  /** Negative after a flood of bytes. */
  #bytes = bytesPerSecond;
  #bytesAtMs: number;

  constructor(bounds: MessageRateBounds, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#operations = bounds.operationBurst;
    this.#messages = bounds.operationBurst * messagesPerOperation;
    this.#atMs = clock.now();
    this.#bytesAtMs = this.#atMs;
  }

  /** Counts a message of this size. Returns for how many milliseconds nothing more should be read: 0 unless the client floods the socket. */
  countMessage(bytes = 0): number {
    return Math.max(this.#countBytes(bytes), this.#countOne());
  }

  #countBytes(bytes: number): number {
    const nowMs = this.#clock.now();
    this.#bytes = Math.min(this.#bytes + ((nowMs - this.#bytesAtMs) * bytesPerSecond) / 1000, bytesPerSecond) - bytes;
    this.#bytesAtMs = nowMs;
    return this.#bytes >= 0 ? 0 : Math.min((-this.#bytes * 1000) / bytesPerSecond, maxPauseMs);
  }

  #countOne(): number {
    const { operationsPerSecond } = this.#bounds;
    if (operationsPerSecond === Number.POSITIVE_INFINITY) return 0;
    this.#refill();
    const perMs = (operationsPerSecond * messagesPerOperation) / 1000;
    this.#messages = Math.max(this.#messages - 1, -maxPauseMs * perMs);
    return this.#messages >= 0 ? 0 : -this.#messages / perMs;
  }

  /** Counts an operation if it may begin: returns 0. Otherwise returns after how many milliseconds one may begin. */
  countOperation(): number {
    const { operationsPerSecond } = this.#bounds;
    if (operationsPerSecond === Number.POSITIVE_INFINITY) return 0;
    this.#refill();
    if (this.#operations < 1) return Math.ceil(((1 - this.#operations) * 1000) / operationsPerSecond);
    this.#operations -= 1;
    return 0;
  }

  #refill(): void {
    const { operationsPerSecond, operationBurst } = this.#bounds;
    const nowMs = this.#clock.now();
    const gained = ((nowMs - this.#atMs) * operationsPerSecond) / 1000;
    this.#atMs = nowMs;
    this.#operations = Math.min(this.#operations + gained, operationBurst);
    this.#messages = Math.min(this.#messages + gained * messagesPerOperation, operationBurst * messagesPerOperation);
  }
}
