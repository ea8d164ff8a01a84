// The thread that runs PGlite, and the next one after it has died. Two never run at the same time, because the first would
// lose what the second writes.

import type { Log } from '../log.ts';
import { EmbeddedThread } from './embedded-thread.ts';

/** A thread that dies at once is not started more often than this. */
const restartMs = 1000;

export class EmbeddedThreads {
  readonly #folder: string;
  readonly #log: Log;
  #thread: EmbeddedThread;
  #startedAtMs = performance.now();
  #closed = false;

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
    this.#thread = new EmbeddedThread(folder);
  }

  /** After `close`, the thread that has ended: the lock on the folder is free, and another process may have opened it. */
  current(): EmbeddedThread {
    const { failure } = this.#thread;
    if (failure && !this.#closed && performance.now() - this.#startedAtMs >= restartMs) {
      this.#log.error({ error: failure }, 'the embedded database is opened again');
      this.#thread = new EmbeddedThread(this.#folder);
      this.#startedAtMs = performance.now();
    }
    return this.#thread;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#thread.close();
  }
}
