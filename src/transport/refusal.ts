// What is refused before GraphQL sees it, and the HTTP status that goes with an error.

import type { GraphQLError } from 'graphql';
import { type ErrorCode, GaplessError } from '../errors.ts';

/** A request that cannot be one of GraphQL's: too large, of another type, from a page that may not ask. */
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

/** The HTTP status of an error, by what its client is told of it, where nothing but it is answered. */
export function statusOf(error: unknown, told: GraphQLError): number {
  return error instanceof Refusal ? error.status : (statuses[told.extensions['code'] as ErrorCode] ?? 400);
}
