// Whether an error means that the database did not do its part. Such a failure is passing.

import { GaplessError, unavailable as unavailableFor } from '../errors.ts';
import { DatabaseFailure } from './failure.ts';

export const isUnavailable = (error: unknown): boolean =>
  error instanceof DatabaseFailure ||
  (error instanceof GaplessError && error.code === 'UNAVAILABLE') ||
  (error instanceof Error && error.cause !== undefined && isUnavailable(error.cause));

export const unavailable = (cause: unknown) =>
  unavailableFor('The database does not answer now: retry, with the same clientMessageId if there is one.', cause);
