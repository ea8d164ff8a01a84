// Detects a connection that receives nothing any more although neither side has closed it.

const checksPerLimit = 5;

export class Watchdog implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #receivedAt = performance.now();
  #checkedAt = performance.now();
  #paused = false;

  /** Calls `giveUp`, once, if nothing was received for `limitMs`. */
  constructor(limitMs: number, giveUp: () => void) {
    const everyMs = limitMs / checksPerLimit;
    this.#timer = setInterval(() => {
      const at = performance.now();
      // If this process itself was paused, it has not read yet what arrived during the pause.
      if (this.#paused || at - this.#checkedAt > 2 * everyMs) this.#receivedAt = at;
      this.#checkedAt = at;
      if (at - this.#receivedAt <= limitMs) return;
      clearInterval(this.#timer);
      giveUp();
    }, everyMs);
    this.#timer.unref();
  }

  received(): void {
    this.#receivedAt = performance.now();
  }

  /** While paused, silence does not count. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#receivedAt = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
