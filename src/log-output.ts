// Writes log lines to stdout. If its reader is gone, slow or stopped, or its disk is full, log lines are lost, but the server
// neither stops nor hangs.

import type { Writable } from 'node:stream';

/** Maximum number of bytes that wait for the reader. Further lines are dropped and counted. */
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
        msg: 'log lines were dropped because stdout was not read',
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
