// Tells "the database cannot answer just now" from every other failure: the first is worth another try.

import { GaplessError } from '../errors.ts';

/** SQLSTATE classes: connection, out of resources, operator intervention, system error; and the single codes: of a wait that was cut off, a standby, a database that is being replaced. */
const classes = ['08', '53', '57', '58'];
const codes = [
  '55P03',
  '40001',
  '40P01',
  '25006',
  '3D000',
  '25P03',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
];
/** What pg and its pool say without a code. */
const messages =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|client has encountered a connection error|not queryable|timeout expired/i;

export function isUnavailable(error: unknown): boolean {
  if (error instanceof GaplessError) return error.code === 'UNAVAILABLE';
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    codes.includes(code) ||
    (code.length === 5 && classes.includes(code.slice(0, 2))) ||
    messages.test(error.message) ||
    isUnavailable(error.cause)
  );
}

export const unavailable = (cause: unknown) =>
  new GaplessError('UNAVAILABLE', 'The database does not answer just now: try again, with the same clientMessageId where there is one.', {
    retryAfterMs: 1000,
    cause,
  });
