// Whether an error means that the database cannot serve now, so that the client may retry.

import { GaplessError, unavailable as unavailableError } from '../errors.ts';
import { DatabaseFailure } from './failure.ts';

export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseFailure) return true;
  if (error instanceof GaplessError) return error.code === 'UNAVAILABLE';
  return error instanceof Error && error.cause !== undefined && isUnavailable(error.cause);
}

export const unavailable = (cause: unknown) =>
  unavailableError('The database does not answer: retry, with the same clientMessageId if there is one.', cause);
