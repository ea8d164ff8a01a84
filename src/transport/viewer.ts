// The one door for every credential: the Authorization header, the cookie, and the payload of connection_init.

import type { IncomingMessage } from 'node:http';
import type { Identity, Viewer } from '../chat/identity.ts';
import { GaplessError } from '../errors.ts';

export const cookieName = 'gapless_token';
const cookiePattern = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]*)`);

export interface Credentials {
  /** `Bearer …`, from the header or from connection_init's payload. */
  readonly authorization?: string | undefined;
  /** The Cookie header. */
  readonly cookie?: string | undefined;
}

export interface Identified {
  /** Undefined without a token. */
  readonly viewer: Viewer | undefined;
  /** The request carried a cookie that is of no use any more. */
  readonly staleCookie: boolean;
}

/**
 * Who asks. What was said on purpose goes before the cookie, which a browser sends by itself; so a bad authorization is
 * an error, UNAUTHENTICATED, and a bad cookie counts as none.
 */
export async function identify(identity: Identity, { authorization, cookie }: Credentials): Promise<Identified> {
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (token === undefined) throw new GaplessError('UNAUTHENTICATED', 'Authorization must read: Bearer, a space, and the token.');
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

/** The Set-Cookie header that has a browser keep the token, or with null forget it. */
export function setCookieHeader(request: IncomingMessage, token: string | null, maxAgeSeconds: number): string {
  const https = 'encrypted' in request.socket || /^https\b/i.test(String(request.headers['x-forwarded-proto'] ?? ''));
  const life = token === null ? 0 : maxAgeSeconds;
  return `${cookieName}=${token ?? ''}; Path=/; Max-Age=${life}; HttpOnly; SameSite=Lax${https ? '; Secure' : ''}`;
}
