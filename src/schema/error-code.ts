// Converts errors to the errors that clients receive. A fault of the request is BAD_USER_INPUT; a fault of the server is
// never reported as a fault of the client.

import { randomUUID } from 'node:crypto';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { errorCodes, GaplessError, unavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { logOccasionally } from '../log-occasionally.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import { UnknownEntryError } from '../storage/unknown-entry.ts';
import { builder } from './builder.ts';

builder.enumType('ErrorCode', {
  description:
    'Every value of extensions.code. Beside it an error may carry field (the input field at fault), retryAfterMs (RATE_LIMITED, UNAVAILABLE), reason (UNAUTHENTICATED: SIGNED_OUT if the session was signed out) and errorId (INTERNAL, as logged). Parse and validation errors are BAD_USER_INPUT.',
  values: errorCodes,
});

/** The error that a GraphQLError wraps, or the error itself. */
export function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.cause != null ? causeOf(error.cause) : error;
}

/** The error for the client. An error that is not meant for clients is logged with an id, and the client receives only the id. */
export function toClientError(error: unknown, log: Log): GraphQLError {
  const cause = causeOf(error);
  // Either already an error for clients, or a fault of the request: an invalid document, or a variable of the wrong type.
  if (cause instanceof GraphQLError) return isForClient(cause) ? cause : asBadInput(cause);
  return toMaskedError(error, cause, log);
}

/** Whether this error ends a stream in the way that a restart of the node does, so that the client resumes on another node. */
export const endsAsRestart = (error: unknown): boolean => causeOf(error) instanceof UnknownEntryError;

/** The errors of a request that was rejected before execution. */
export const requestErrors = (errors: readonly GraphQLError[]): readonly GraphQLError[] => errors.map(asBadInput);

/** The result of an execution, with errors for clients. An error that graphql-js raises during execution is the server's fault. */
export function maskErrors(result: ExecutionResult, log: Log): ExecutionResult {
  const errors = result.errors?.map((error: GraphQLError) => toMaskedError(error, causeOf(error), log));
  return errors ? { ...result, errors } : result;
}

function toMaskedError(error: unknown, cause: unknown, log: Log): GraphQLError {
  if (cause instanceof GaplessError) return located(error, cause.message, extensionsOf(cause), cause);
  if (cause instanceof GraphQLError && isForClient(cause)) return cause;
  if (cause instanceof DatabaseFailure) {
    logOccasionally(log, 'warn', cause, 'the database failed a request, which was answered UNAVAILABLE', performance.now());
    return toMaskedError(error, databaseUnavailable(cause), log);
  }
  const errorId = randomUUID();
  log.error({ errorId, error: cause }, 'an unforeseen error');
  return located(error, 'The server failed. The error is logged under errorId.', { code: 'INTERNAL', errorId });
}

const databaseUnavailable = (cause: unknown) =>
  unavailable('The database does not answer: retry, with the same clientMessageId if there is one.', cause);

const isForClient = (error: GraphQLError) => Object.hasOwn(errorCodes, String(error.extensions['code']));

/** Keeps the other extensions, because Yoga puts the HTTP status there. */
const asBadInput = (error: GraphQLError) =>
  causeOf(error) instanceof GaplessError
    ? located(error, (causeOf(error) as GaplessError).message, extensionsOf(causeOf(error) as GaplessError))
    : located(error, error.message, { ...error.extensions, code: 'BAD_USER_INPUT' });

export function extensionsOf({ code, field, retryAfterMs, reason }: GaplessError) {
  return {
    code,
    ...(field === undefined ? {} : { field }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function located(error: unknown, message: string, extensions: Record<string, unknown>, cause?: unknown): GraphQLError {
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : {};
  const options = { nodes, source, positions, path, extensions, ...(cause === undefined ? {} : { cause }) };
  return new GraphQLError(message, options as ConstructorParameters<typeof GraphQLError>[1]);
}
