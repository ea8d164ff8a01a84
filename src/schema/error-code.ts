// How an error becomes what a client is told. A fault of the request is BAD_USER_INPUT; a fault of the server is never
// blamed on the client.

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
    'Every value of extensions.code. Beside it an error may carry field (the input field at fault), retryAfterMs (RATE_LIMITED, UNAVAILABLE) and errorId (INTERNAL, as logged). Parse and validation errors are BAD_USER_INPUT.',
  values: errorCodes,
});

/** The error that a GraphQLError wraps, or the error itself. */
export function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.cause != null ? causeOf(error.cause) : error;
}

/** The error for the client. One that is not meant for clients is logged under an id, and the client gets the id. */
export function toClientError(error: unknown, log: Log): GraphQLError {
  const cause = causeOf(error);
  // Of the request: a document that does not parse or validate, a variable of the wrong type. Or an error for the client already.
  if (cause instanceof GraphQLError) return isForClient(cause) ? cause : asBadInput(cause);
  return toMaskedError(error, cause, log);
}

/** Whether a stream that fails with this ends as it does when the node restarts, so that its client resumes at another node. */
export const endsAsRestart = (error: unknown): boolean => causeOf(error) instanceof UnknownEntryError;

/** The errors of a request that is not executed. */
export const requestErrors = (errors: readonly GraphQLError[]): readonly GraphQLError[] => errors.map(asBadInput);

/** The result of an execution, with its errors as clients get them. An error that graphql-js found there is the server's. */
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
  unavailable('The database does not answer now: retry, with the same clientMessageId if there is one.', cause);

const isForClient = (error: GraphQLError) => Object.hasOwn(errorCodes, String(error.extensions['code']));

/** Keeps the other extensions: Yoga tells the HTTP status with them. */
const asBadInput = (error: GraphQLError) =>
  causeOf(error) instanceof GaplessError
    ? located(error, (causeOf(error) as GaplessError).message, extensionsOf(causeOf(error) as GaplessError))
    : located(error, error.message, { ...error.extensions, code: 'BAD_USER_INPUT' });

function extensionsOf({ code, field, retryAfterMs }: GaplessError) {
  return { code, ...(field === undefined ? {} : { field }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function located(error: unknown, message: string, extensions: Record<string, unknown>, cause?: unknown): GraphQLError {
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : {};
  const options = { nodes, source, positions, path, extensions, ...(cause === undefined ? {} : { cause }) };
  return new GraphQLError(message, options as ConstructorParameters<typeof GraphQLError>[1]);
}
