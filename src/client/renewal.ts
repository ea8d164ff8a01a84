// Renews the token of a connection: shortly before it expires, so that no subscription notices, or after it was refused. A
// renewal that fails is repeated with growing waits, and one renewal at a time serves all subscriptions.

import { type Backoff, waitBefore } from './backoff.ts';
import { isFinal } from './error-code.ts';
import type { Connection } from './socket.ts';

/** How long before its end a token is renewed. A token that is valid for a shorter time is renewed after half of it. */
const leadMs = 30_000;
/** Minimum wait before the next renewal, so that tokens that have expired already do not cause a loop. */
const minWaitMs = 1000;
/** `setTimeout` fires at once if the delay does not fit into 31 bits. */
const maxTimerMs = 2 ** 31 - 1;

export class Renewal {
  readonly #connection: Connection;
  readonly #renewToken: () => unknown;
  readonly #backoff: Backoff;
  #running: Promise<unknown> | undefined;
  /** Whether the application got a new token before the end of the old one, which the next connection is to send. */
  #fresh = false;
  /** Calls of `renewToken` since the server last accepted a token. */
  #failures = 0;
  #notBeforeMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Distinguishes the connections that were open one after the other. */
  #generation = 0;

  constructor(connection: Connection, renewToken: () => unknown, backoff: Backoff) {
    this.#connection = connection;
    this.#renewToken = renewToken;
    this.#backoff = backoff;
    connection.onOpened(() => {
      this.#fresh = false;
    });
    connection.onAcknowledged((expiresInMs) => {
      this.#failures = 0;
      if (expiresInMs !== undefined) this.#plan(expiresInMs);
    });
    connection.onClosed(() => {
      this.#generation += 1;
      clearTimeout(this.#timer);
    });
  }

  /** Resolves when the next connection will send a new token. Rejects with what `renewToken` of the application throws. */
  async renew(): Promise<void> {
    if (!this.#fresh) await this.#getToken();
    this.#connection.drop();
  }

  #plan(expiresInMs: number): void {
    clearTimeout(this.#timer);
    const endsAtMs = Date.now() + expiresInMs;
    const waitMs = Math.max(expiresInMs - leadMs, expiresInMs / 2, minWaitMs);
    this.#timer = setTimeout(
      () => {
        if (waitMs > maxTimerMs) this.#plan(endsAtMs - Date.now());
        else void this.#continueConnection();
      },
      Math.min(waitMs, maxTimerMs),
    );
  }

  /** Continues the connection with a new token. If that is not possible, the next connection sends it. */
  async #continueConnection(): Promise<void> {
    const generation = this.#generation;
    while (generation === this.#generation) {
      try {
        const token = await this.#getToken();
        if (typeof token !== 'string' || generation !== this.#generation) {
          this.#fresh = true;
          return;
        }
        this.#plan(await this.#connection.continueWith(token));
        this.#failures = 0;
        return;
      } catch (error) {
        // Such as a server that does not know the mutation, or a token of another user.
        if (isFinal(error)) return;
      }
    }
  }

  /** A new token, if the application returns it. */
  #getToken(): Promise<unknown> {
    this.#running ??= this.#callApplication().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #callApplication(): Promise<unknown> {
    const waitMs = this.#notBeforeMs - Date.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    try {
      return await this.#renewToken();
    } finally {
      this.#notBeforeMs = Date.now() + waitBefore(this.#failures, this.#backoff);
      this.#failures += 1;
    }
  }
}
