// Requests that are refused before GraphQL sees them, and the HTTP status of each error.

import type { GraphQLError } from 'graphql';
import { errorCodes, GaplessError } from '../errors.ts';

/** A request that cannot be one of GraphQL's: too large, of another type, or from a page that may not ask. */
export class Refusal extends GaplessError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 403 ? 'FORBIDDEN' : 'BAD_USER_INPUT', message);
    this.status = status;
  }
}

/** The HTTP status of a response that holds nothing but this error. `told` is the error as the client gets it. */
export function statusOf(error: unknown, told: GraphQLError): number {
  if (error instanceof Refusal) return error.status;
  const code = String(told.extensions['code']);
  return Object.entries(errorCodes).find(([known]) => known === code)?.[1].httpStatus ?? 400;
}
