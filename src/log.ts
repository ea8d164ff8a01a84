// JSON lines for operators. They never contain what people say to each other.

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

// Not all properties of an error: one of the database has the parameters of its statement, message bodies among them.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { message: error.message, ...code, stack: error.stack, ...cause };
}
