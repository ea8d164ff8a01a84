// Authentication: from the Authorization header, the cookie, or the payload of connection_init to the viewer.

import type { IncomingMessage } from 'node:http';
import type { Identity, Viewer } from '../chat/identity.ts';
import { GaplessError } from '../errors.ts';

export const cookieName = 'gapless_token';
const cookiePattern = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]*)`);

export interface Credentials {
  /** `Bearer …`, from the header or from the payload of connection_init. */
  readonly authorization?: string | undefined;
  /** The Cookie header. */
  readonly cookie?: string | undefined;
}

export interface Identified {
  /** Undefined without a token. */
  readonly viewer: Viewer | undefined;
  /** Whether the request carried a cookie whose token is invalid: the answer clears the cookie. */
  readonly staleCookie: boolean;
}

/**
 * Identifies the viewer. An authorization takes precedence over the cookie, because a browser sends its cookie
 * automatically. For the same reason an invalid authorization throws UNAUTHENTICATED, and an invalid cookie counts as none.
 */
export async function identify(identity: Identity, { authorization, cookie }: Credentials): Promise<Identified> {
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (token === undefined) throw new GaplessError('UNAUTHENTICATED', 'The authorization has to be: Bearer, a space, and the token.');
    return { viewer: await identity.verify(token), staleCookie: false };
  }
  const [, token] = cookiePattern.exec(cookie ?? '') ?? [];
  if (token === undefined) return { viewer: undefined, staleCookie: false };
  try {
    return { viewer: await identity.verify(token), staleCookie: false };
  } catch (error) {
    if (error instanceof GaplessError && error.code === 'UNAUTHENTICATED') return { viewer: undefined, staleCookie: true };
    throw error;
  }
}

/** The Set-Cookie header that stores the token in the browser for the addresses below `path`, or with null clears the cookie. */
export function setCookieHeader(request: IncomingMessage, token: string | null, maxAgeSeconds: number, path: string): string {
  const https = 'encrypted' in request.socket || /^https\b/i.test(String(request.headers['x-forwarded-proto'] ?? ''));
  const maxAge = token === null ? 0 : maxAgeSeconds;
  return `${cookieName}=${token ?? ''}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${https ? '; Secure' : ''}`;
}
