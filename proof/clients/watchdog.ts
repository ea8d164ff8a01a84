// Notices a connection from which nothing comes any more, though neither side has closed it.

const checksPerLimit = 5;

export class Watchdog implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #heardAt = performance.now();
  #checkedAt = performance.now();
  #paused = false;

  /** Calls `giveUp`, once, when nothing was heard for `limitMs`. */
  constructor(limitMs: number, giveUp: () => void) {
    const everyMs = limitMs / checksPerLimit;
    this.#timer = setInterval(() => {
      const at = performance.now();
      // Where this process itself stood still, what has come meanwhile was not read yet.
      if (this.#paused || at - this.#checkedAt > 2 * everyMs) this.#heardAt = at;
      this.#checkedAt = at;
      if (at - this.#heardAt <= limitMs) return;
      clearInterval(this.#timer);
      giveUp();
    }, everyMs);
    this.#timer.unref();
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** While it is paused, nothing is expected. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#heardAt = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
