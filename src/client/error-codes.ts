// Written by `npm run codegen` from the schema: the values of ErrorCode.

export const errorCodes = [
  'BAD_USER_INPUT',
  'CONFLICT',
  'CURSOR_EXPIRED',
  'CURSOR_INVALID',
  'FORBIDDEN',
  'INTERNAL',
  'NOT_FOUND',
  'RATE_LIMITED',
  'UNAUTHENTICATED',
  'UNAVAILABLE',
] as const;

/** Every value of `extensions.code`. More may come: a code that is not here counts as INTERNAL. */
export type ErrorCode = (typeof errorCodes)[number];
