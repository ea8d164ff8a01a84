// JSON lines on stdout, one per thing worth knowing to an operator. Never what people say to each other.

import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** `destination` is where the lines go if not to stdout. */
export function createLog(level: string, destination: DestinationStream = pino.destination()): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: describeError },
  };
  return pino(options, destination);
}

// Not all that hangs on an error: one of the database carries its parameters, message bodies among them.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { message: error.message, ...code, stack: error.stack, ...cause };
}
