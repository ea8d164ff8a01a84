// Where log lines go: stdout. A reader that is gone, slow or stopped, and a disk that is full, cost log lines; they neither
// stop the server nor keep it from ending.

import type { Writable } from 'node:stream';

/** Text that may wait for the reader. Further lines are dropped and counted. */
const maxWaitingBytes = 1024 * 1024;
/** How long an exit waits for the reader. */
const flushMs = 500;

export class LogOutput {
  readonly #stream: Writable;
  #dropped = 0;

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream;
    // EPIPE if the reader is gone, ENOSPC if the disk is full: there is nowhere to report it.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#stream.writableLength > maxWaitingBytes) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const report = {
        level: 'warn',
        time: new Date().toISOString(),
        lines: this.#dropped,
        msg: 'log lines were dropped: they were not read',
      };
      this.#dropped = 0;
      this.#stream.write(`${JSON.stringify(report)}\n`);
    }
    this.#stream.write(line);
  }

  /** Resolves when everything is written, or after half a second. */
  async flush(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, flushMs);
    this.#stream.write('', () => resolve());
    await promise;
    clearTimeout(timer);
  }
}
