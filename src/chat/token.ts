// Checks the claims of verified tokens, and caches the valid ones. Each token belongs to a session, also one without `jti`.

import { createHash } from 'node:crypto';
import { errors, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { GaplessError, unauthenticated, unavailable } from '../errors.ts';
import type { Session } from '../storage/revocations.ts';

/** How much the clocks of this node and of the issuer may differ: for `exp`, `nbf` and `iat`. */
export const clockToleranceSeconds = 5;
/**
 * The end of the year 9999, in milliseconds: a token without an end in practice, such as one whose `exp` is in milliseconds,
 * counts as valid until then. RFC 3339, in which clients get instants, has no later year, and PostgreSQL reads none.
 */
const lastInstantMs = Date.UTC(9999, 11, 31, 23, 59, 59);
/** Maximum number of cached tokens, so that a reconnecting client costs no second signature check. */
const maxKnownTokens = 10_000;
/** Maximum length of a cached token. A valid token has many forms, because white space in its signature is ignored. */
const maxKnownLength = 4096;
/** TTL of the cache. A withdrawn key is accepted for this long after the keys were fetched again: see key-set.ts. */
const knownMs = 30_000;
/** Maximum length of `sub`, and of a `jti` that is used as it is. */
const maxIdentifierLength = 255;

export const requiredClaims = ['sub', 'exp'];

/** A verified token. */
export interface Token {
  readonly payload: JWTPayload;
  readonly subject: string;
  readonly expiresAt: Date;
  readonly session: Session;
}

/** Checks the signature and the claims that jose knows. Throws an error of jose, or UNAVAILABLE. */
export type VerifySignature = (token: string) => Promise<{ payload: JWTPayload }>;

/** Whether a token that is valid until `expiresAt` has expired, on every clock within the tolerance. */
export const isExpired = (expiresAt: Date): boolean => Date.now() >= expiresAt.getTime() + clockToleranceSeconds * 1000;

/** The function that checks tokens. It throws UNAUTHENTICATED if a token is invalid. */
export function tokenChecker(verify: VerifySignature): (token: string) => Promise<Token> {
  const known = new LRUCache<string, Token>({ max: maxKnownTokens, ttl: knownMs });
  return async (token) => {
    const found = known.get(token);
    if (found && !isExpired(found.expiresAt)) return found;
    const checked = await check(token, verify);
    if (token.length <= maxKnownLength) known.set(token, checked);
    return checked;
  };
}

async function check(token: string, verify: VerifySignature): Promise<Token> {
  if (token === '') throw unauthenticated('The token is empty.');
  const { payload } = await verify(token).catch((error: unknown) => {
    throw refusalOf(error);
  });
  const { sub: subject, iat = 0, exp } = payload;
  if (!isIdentifier(subject)) {
    throw unauthenticated('The token has no valid subject: sub must be a string of 1 to 255 characters.');
  }
  if (typeof iat !== 'number' || !(iat <= Date.now() / 1000 + clockToleranceSeconds)) {
    throw unauthenticated('The token has no valid time of issue: iat must be a number of seconds that is not in the future.');
  }
  return {
    payload,
    subject,
    expiresAt: new Date(Math.min((exp as number) * 1000, lastInstantMs)),
    session: { subject, id: sessionIdOf(token, payload), issuedAt: iat },
  };
}

/** `jti`, or a hash of what is signed. The signature itself can have several forms for the same token. */
function sessionIdOf(token: string, { jti }: JWTPayload): string {
  if (isIdentifier(jti)) return jti;
  const signed = token.slice(0, token.lastIndexOf('.'));
  return `sha256:${createHash('sha256').update(signed).digest('base64url')}`;
}

/** Whether PostgreSQL can store it as text. */
const isIdentifier = (claim: unknown): claim is string =>
  typeof claim === 'string' && claim !== '' && claim.length <= maxIdentifierLength && !claim.includes('\0') && claim.isWellFormed();

function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return unauthenticated('The token has expired: get a new one.');
  if (error instanceof errors.JWTClaimValidationFailed) return unauthenticated(`The token is not for this server: ${error.message}.`);
  if (error instanceof errors.JOSEError) return unauthenticated('The token is not valid.');
  if (error instanceof GaplessError) return error;
  return unavailable('The token cannot be verified now: retry.', error);
}
