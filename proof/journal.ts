// The history of a run: kept in memory for the checker, and written to a file line by line as it grows.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Line } from './history.ts';

/** The one clock of a run, in milliseconds since this process began. */
export const now = (): number => Math.round(performance.now() * 1000) / 1000;

/** Characters that are collected before a write: one write per line would be slow. */
const chunkChars = 256 * 1024;

export class Journal implements Disposable {
  readonly lines: Line[] = [];
  #file: number | undefined;
  #chunk = '';

  /** Without a path, the history is kept in memory only. */
  constructor(path?: string) {
    this.#file = path === undefined ? undefined : openSync(path, 'w');
  }

  readonly record = (line: Line): void => {
    this.lines.push(line);
    if (this.#file === undefined) return;
    this.#chunk += `${JSON.stringify(line)}\n`;
    if (this.#chunk.length >= chunkChars) this.#flush();
  };

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    this.#flush();
    closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    writeSync(this.#file as number, this.#chunk);
    this.#chunk = '';
  }
}
