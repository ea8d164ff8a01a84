// The errors that are meant for clients, and the meaning of their codes. Only a code marked final ends a retry. Every other
// failure is passing, including one that no code foresees.

interface CodeMeaning {
  /** Whether a retry gives the same answer, because the request is wrong or not allowed, or its object is gone. */
  readonly isFinal: boolean;
  /** HTTP status of a response that contains only this error. */
  readonly httpStatus: number;
  /** The description in the schema. */
  readonly description: string;
}

export const errorCodes = {
  BAD_USER_INPUT: {
    isFinal: true,
    httpStatus: 400,
    description: 'The request is at fault: it does not parse or validate, or a value is not allowed.',
  },
  UNAUTHENTICATED: { isFinal: true, httpStatus: 401, description: 'There is no token, or the token is invalid or expired.' },
  FORBIDDEN: { isFinal: true, httpStatus: 403, description: 'The viewer may see the object, but may not do this.' },
  NOT_FOUND: { isFinal: true, httpStatus: 404, description: 'There is no such object, or the viewer may not see it.' },
  CONFLICT: { isFinal: true, httpStatus: 409, description: 'Conflicts with existing data.' },
  RATE_LIMITED: {
    isFinal: false,
    httpStatus: 429,
    description: 'Done more often, or more at once, than allowed: retry after retryAfterMs.',
  },
  CURSOR_INVALID: { isFinal: true, httpStatus: 400, description: 'The cursor is malformed, or belongs to another room or list.' },
  CURSOR_EXPIRED: {
    isFinal: true,
    httpStatus: 410,
    description:
      'The position is older than what is kept, or was rolled back by a restore or failover: reload the page, then subscribe from its syncCursor.',
  },
  UNAVAILABLE: { isFinal: false, httpStatus: 503, description: 'The request cannot be served now: retry after retryAfterMs.' },
  INTERNAL: { isFinal: false, httpStatus: 500, description: 'The server failed. The error is logged under errorId.' },
} as const satisfies Record<string, CodeMeaning>;

export type ErrorCode = keyof typeof errorCodes;

/** Why a request has its code, where clients treat it in a different way. SIGNED_OUT: the session of the token was ended. */
export type ErrorReason = 'SIGNED_OUT';

interface ErrorDetails {
  /** The input field at fault. */
  readonly field?: string | undefined;
  /** With RATE_LIMITED and UNAVAILABLE: delay before the client retries. */
  readonly retryAfterMs?: number | undefined;
  readonly reason?: ErrorReason | undefined;
  readonly cause?: unknown;
}

/** An error whose message may be shown to the client. Every other thrown error is masked. */
export class GaplessError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly reason: ErrorReason | undefined;

  constructor(code: ErrorCode, message: string, { field, retryAfterMs, reason, cause }: ErrorDetails = {}) {
    super(message, { cause });
    this.code = code;
    this.field = field;
    this.retryAfterMs = retryAfterMs;
    this.reason = reason;
  }
}

/** This node cannot serve the request, but another node may. This node does not retry; the client does. */
export class NodeUnableError extends GaplessError {
  constructor(message: string, cause?: unknown) {
    super('UNAVAILABLE', message, { retryAfterMs: retryAfterDefaultMs, cause });
  }
}

/** Default delay before a client retries. */
export const retryAfterDefaultMs = 1000;

/** Whether a retry is useless. This is the only place that decides it. */
export const isFinal = (error: unknown): boolean => error instanceof GaplessError && errorCodes[error.code].isFinal;

/** Whether the client did something too often, and may retry later. */
export const isRateLimited = (error: unknown): error is GaplessError => error instanceof GaplessError && error.code === 'RATE_LIMITED';

export const badInput = (message: string, field?: string) => new GaplessError('BAD_USER_INPUT', message, { field });
export const unauthenticated = (message: string) => new GaplessError('UNAUTHENTICATED', message);
export const signedOut = () =>
  new GaplessError('UNAUTHENTICATED', 'The session of this token was signed out: sign in again.', { reason: 'SIGNED_OUT' });
export const rateLimited = (message: string, retryAfterMs: number = retryAfterDefaultMs) =>
  new GaplessError('RATE_LIMITED', message, { retryAfterMs });
export const forbidden = (message: string) => new GaplessError('FORBIDDEN', message);
export const notFound = (message: string, field?: string) => new GaplessError('NOT_FOUND', message, { field });
export const noSuchRoom = () => notFound('There is no such room.', 'roomId');
export const conflict = (message: string, field?: string) => new GaplessError('CONFLICT', message, { field });
export const unavailable = (message: string, cause?: unknown) =>
  new GaplessError('UNAVAILABLE', message, { retryAfterMs: retryAfterDefaultMs, cause });
