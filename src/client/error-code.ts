// What went wrong, by the code that the server gives, from whichever client library.

import { type ErrorCode, errorCodes } from './error-codes.ts';

/** Close codes of a WebSocket that say of the token what UNAUTHENTICATED says (4403: graphql-ws; 4401 is its older word). */
const closedForToken = [4401, 4403];

/**
 * The code of an error: of a result or a list of errors as the server gives them, of Apollo’s `CombinedGraphQLErrors`, of
 * urql’s `CombinedError`, of a socket that was closed for its token. INTERNAL for a code that this version does not know.
 * Undefined where it is not the server that speaks, as when the network fails: to be tried again.
 */
export function errorCode(error: unknown): ErrorCode | undefined {
  const [first] = graphqlErrorsOf(error);
  if (first) return knownCode(first.extensions?.['code']);
  const code = isObject(error) ? error['code'] : undefined;
  return closedForToken.includes(code as number) ? 'UNAUTHENTICATED' : undefined;
}

/** How long the server asks to wait before another try, in milliseconds. */
export function retryAfterMs(error: unknown): number | undefined {
  const asked = graphqlErrorsOf(error)[0]?.extensions?.['retryAfterMs'];
  return typeof asked === 'number' ? asked : undefined;
}

interface GraphQLErrorLike {
  readonly message: string;
  readonly extensions?: Record<string, unknown> | undefined;
}

function graphqlErrorsOf(error: unknown): readonly GraphQLErrorLike[] {
  if (Array.isArray(error)) return error.filter(isGraphQLError);
  if (!isObject(error)) return [];
  const inside = error['graphQLErrors'] ?? error['errors'];
  if (Array.isArray(inside)) return inside.filter(isGraphQLError);
  return isGraphQLError(error) ? [error] : [];
}

const isGraphQLError = (error: unknown): error is GraphQLErrorLike =>
  isObject(error) && isObject(error['extensions']) && 'message' in error;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const knownCode = (code: unknown): ErrorCode => errorCodes.find((known) => known === code) ?? 'INTERNAL';
