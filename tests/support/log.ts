// A log that a test can read.

import { createLog, type Log } from '../../src/log.ts';

export interface Line {
  readonly msg: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export function collectLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  return { log: createLog('debug', { write: (line) => lines.push(JSON.parse(line) as Line) }), lines };
}
