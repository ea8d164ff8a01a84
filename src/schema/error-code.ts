// Every way to fail, for clients to read in the schema, and how an error becomes what a client is told of it.

import { randomUUID } from 'node:crypto';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { type ErrorCode, GaplessError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isUnavailable, unavailable } from '../storage/unavailable.ts';
import { builder } from './builder.ts';

const codes: Record<ErrorCode, { description: string }> = {
  BAD_USER_INPUT: { description: 'The request is at fault: it does not parse or validate, or an argument cannot be as it is.' },
  UNAUTHENTICATED: { description: 'There is no token, or it is bad or has expired.' },
  FORBIDDEN: { description: 'The viewer may see it, but not do this.' },
  NOT_FOUND: { description: 'There is no such thing, or the viewer may not see it.' },
  CONFLICT: { description: 'It contradicts what is there already.' },
  RATE_LIMITED: { description: 'Reserved.' },
  CURSOR_INVALID: { description: 'Junk, or of another room or list.' },
  CURSOR_EXPIRED: {
    description:
      'Older than what is kept, or of a history that a restore or failover has undone: reload the page, then subscribe from its syncCursor.',
  },
  UNAVAILABLE: { description: 'Not just now: try again after retryAfterMs.' },
  INTERNAL: { description: 'Nobody foresaw it. It is logged under errorId.' },
};

builder.enumType('ErrorCode', {
  description:
    'Every value of extensions.code. Beside it an error may carry field (the input field at fault), retryAfterMs (RATE_LIMITED, UNAVAILABLE) and errorId (INTERNAL, as logged). Parse and validation errors are BAD_USER_INPUT.',
  values: codes,
});

/** What went wrong beneath a GraphQLError; the error itself where nothing did. */
export function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.cause != null ? causeOf(error.cause) : error;
}

/** What a client is told. What was not meant for them is logged with an id, and they get the id. */
export function toClientError(error: unknown, log: Log): GraphQLError {
  const cause = causeOf(error);
  if (cause instanceof GaplessError) return located(error, cause.message, extensionsOf(cause));
  // GraphQL's own: a document that does not parse or validate, a variable of the wrong type.
  if (cause instanceof GraphQLError) {
    const ours = String(cause.extensions['code']) in codes;
    return ours ? cause : located(cause, cause.message, { ...cause.extensions, code: 'BAD_USER_INPUT' });
  }
  if (isUnavailable(cause)) return toClientError(unavailable(cause), log);
  const errorId = randomUUID();
  log.error({ errorId, error: cause }, 'an unforeseen error');
  return located(error, 'Something went wrong that nobody foresaw. It was logged under errorId.', { code: 'INTERNAL', errorId });
}

/** The result with its errors as a client is told of them. */
export function maskErrors(result: ExecutionResult, log: Log): ExecutionResult {
  const errors = result.errors?.map((error: GraphQLError) => toClientError(error, log));
  return errors ? { ...result, errors } : result;
}

function extensionsOf({ code, field, retryAfterMs }: GaplessError) {
  return { code, ...(field === undefined ? {} : { field }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function located(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : {};
  return new GraphQLError(message, { nodes, source, positions, path, extensions } as ConstructorParameters<typeof GraphQLError>[1]);
}
