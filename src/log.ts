// JSON lines for operators. They never contain message bodies or tokens.

import { type DestinationStream, type Logger, pino } from 'pino';
import { LogOutput } from './log-output.ts';

export type Log = Logger;

/** Writes to stdout unless another destination is given. */
export function createLog(level: string, destination: DestinationStream = new LogOutput()): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: describeError },
  };
  return pino(options, destination);
}

// Copies only these properties: a database error also carries the parameters of its statement, which include message bodies.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { message: error.message, ...code, stack: error.stack, ...cause };
}
