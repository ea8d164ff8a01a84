// Finds the error code of the server in the errors of every client library. Only the final codes are listed: every other
// failure is passing and may be retried.

import { type ErrorCode, errorCodes, finalCodes } from './error-codes.ts';

/** WebSocket close codes that mean UNAUTHENTICATED. graphql-ws closes with 4403, and with 4401 in older versions. */
const unauthenticatedCloseCodes = [4401, 4403];

/**
 * The code of an error. Accepts a result or an array of errors from the server, `CombinedGraphQLErrors` of Apollo,
 * `CombinedError` of urql, and the close event of a socket. If there are several errors, the first one with `extensions`
 * counts.
 *
 * INTERNAL if this version does not know the code. Undefined if the error does not come from the server, for example if the
 * network fails. Retry after both.
 */
export const errorCode = (error: unknown): ErrorCode | undefined => readSafely(() => codeOf(error));

/** How long the server tells the client to wait before a retry, in milliseconds. */
export const retryAfterMs = (error: unknown): number | undefined =>
  readSafely(() => {
    const asked = graphqlErrorsOf(error)[0]?.extensions?.['retryAfterMs'];
    return typeof asked === 'number' ? asked : undefined;
  });

/** The reason of the close frame, and the reason in the error, that tell the end of a session from a bad token. */
const signedOut = ['Signed out', 'SIGNED_OUT'];

/** Whether the session of the token was signed out, here or elsewhere. */
export const isSignedOut = (error: unknown): boolean =>
  readSafely(() => {
    const [first] = graphqlErrorsOf(error);
    const reason = first ? first.extensions?.['reason'] : isObject(error) && error['reason'];
    return errorCode(error) === 'UNAUTHENTICATED' && signedOut.includes(reason as string);
  }) ?? false;

export function isFinal(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && finalCodes.includes(code);
}

interface GraphQLErrorLike {
  readonly message: string;
  readonly extensions?: Record<string, unknown> | undefined;
}

function codeOf(error: unknown): ErrorCode | undefined {
  const [first] = graphqlErrorsOf(error);
  if (first) return knownCode(first.extensions?.['code']);
  const code = isObject(error) ? error['code'] : undefined;
  return unauthenticatedCloseCodes.includes(code as number) ? 'UNAUTHENTICATED' : undefined;
}

function graphqlErrorsOf(error: unknown): readonly GraphQLErrorLike[] {
  if (Array.isArray(error)) return error.filter(isGraphQLError);
  if (!isObject(error)) return [];
  const inside = error['graphQLErrors'] ?? error['errors'];
  if (Array.isArray(inside)) return inside.filter(isGraphQLError);
  return isGraphQLError(error) ? [error] : [];
}

/** Undefined if reading throws: anything can be thrown, also an object whose getters throw. */
function readSafely<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const isGraphQLError = (error: unknown): error is GraphQLErrorLike =>
  isObject(error) && isObject(error['extensions']) && 'message' in error;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const knownCode = (code: unknown): ErrorCode => errorCodes.find((known) => known === code) ?? 'INTERNAL';
