// Requests that are refused before GraphQL sees them, and the HTTP status of each error.

import type { GraphQLError } from 'graphql';
import { errorCodes, GaplessError } from '../errors.ts';

/** A request that is refused before GraphQL: too large, of another content type, from a page of another origin, or to another host. */
export class Refusal extends GaplessError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 403 || status === 421 ? 'FORBIDDEN' : 'BAD_USER_INPUT', message);
    this.status = status;
  }
}

/** The HTTP status of a response that contains only this error. `clientError` is the error as the client gets it. */
export function statusOf(error: unknown, clientError: GraphQLError): number {
  if (error instanceof Refusal) return error.status;
  const code = String(clientError.extensions['code']);
  return Object.entries(errorCodes).find(([known]) => known === code)?.[1].httpStatus ?? 400;
}

/** The header that says when to retry, in whole seconds (RFC 9110, section 10.2.3), if the error says it. */
export function retryHeaders({ extensions: { retryAfterMs } }: GraphQLError): Record<string, string> {
  return typeof retryAfterMs === 'number' ? { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } : {};
}
