// Requests that are refused before GraphQL sees them, and the HTTP status of each error.

import type { GraphQLError } from 'graphql';
import { type ErrorCode, GaplessError } from '../errors.ts';

/** A request that cannot be one of GraphQL's: too large, of another type, or from a page that may not ask. */
export class Refusal extends GaplessError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 403 ? 'FORBIDDEN' : 'BAD_USER_INPUT', message);
    this.status = status;
  }
}

const statuses: Record<ErrorCode, number> = {
  BAD_USER_INPUT: 400,
  CURSOR_INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  CURSOR_EXPIRED: 410,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
};

/** The HTTP status of an error that is the whole answer. `told` is what the client is told of it. */
export function statusOf(error: unknown, told: GraphQLError): number {
  return error instanceof Refusal ? error.status : (statuses[told.extensions['code'] as ErrorCode] ?? 400);
}
