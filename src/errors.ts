// What may go wrong on purpose: every code that a client can meet, and the one error that carries it.

export type ErrorCode =
  | 'BAD_USER_INPUT'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'RATE_LIMITED'
  | 'CURSOR_INVALID'
  | 'CURSOR_EXPIRED'
  | 'UNAVAILABLE'
  | 'INTERNAL';

/** An error meant for the client, message and all. Whatever else is thrown reaches them as INTERNAL, masked. */
export class GaplessError extends Error {
  readonly code: ErrorCode;
  /** The input field at fault. */
  readonly field: string | undefined;
  /** When to try again. With UNAVAILABLE. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: { field?: string; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export const badInput = (message: string, field?: string) =>
  new GaplessError('BAD_USER_INPUT', message, field === undefined ? {} : { field });
export const notFound = (message: string, field?: string) => new GaplessError('NOT_FOUND', message, field === undefined ? {} : { field });
export const forbidden = (message: string) => new GaplessError('FORBIDDEN', message);
export const conflict = (message: string, field?: string) => new GaplessError('CONFLICT', message, field === undefined ? {} : { field });
