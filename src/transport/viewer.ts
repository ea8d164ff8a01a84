// Authentication: from the Authorization header, the cookie, or the payload of connection_init to the viewer. A request that
// names another viewer than the one that it comes from is refused before anything is done.

import type { IncomingMessage } from 'node:http';
import type { Identity, Viewer } from '../chat/identity.ts';
import { GaplessError, unauthenticated } from '../errors.ts';
import { viewerIdOf } from '../storage/id.ts';
import { type CookieSession, findTokenCookie, type TokenCookie } from './cookies.ts';

export interface Credentials {
  /** `Bearer …`, from the header or from the payload of connection_init. */
  readonly authorization?: string | undefined;
  readonly cookie?: TokenCookie | undefined;
}

export interface Identified {
  /** Undefined without a token. */
  readonly viewer: Viewer | undefined;
  /** The cookie that was believed, or that holds an invalid token. */
  readonly cookie?: TokenCookie | undefined;
}

/** The session that a request belongs to. GraphiQL names its own in the address, because a WebSocket of a page has no headers. */
export const sessionOf = ({ searchParams }: URL): CookieSession => (searchParams.get('session') === 'graphiql' ? 'graphiql' : 'page');

export const credentialsOf = (request: IncomingMessage, target: URL): Credentials => ({
  authorization: request.headers.authorization,
  cookie: findTokenCookie(request.headers, sessionOf(target)),
});

/**
 * Identifies the viewer. An authorization takes precedence over the cookie, because a browser sends its cookie
 * automatically. For the same reason an invalid authorization throws UNAUTHENTICATED, and an invalid cookie counts as none.
 */
export async function identify(identity: Identity, { authorization, cookie }: Credentials): Promise<Identified> {
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (token === undefined) throw unauthenticated('The authorization has to be: Bearer, a space, and the token.');
    return { viewer: await identity.verify(token) };
  }
  if (cookie === undefined) return { viewer: undefined };
  try {
    return { viewer: await identity.verify(cookie.token), cookie };
  } catch (error) {
    if (error instanceof GaplessError && error.code === 'UNAUTHENTICATED') return { viewer: undefined, cookie };
    throw error;
  }
}

/** The header with the Viewer.id that a request is meant for. In the payload of connection_init it is `viewerId`. */
export const viewerHeader = 'gapless-viewer';

/**
 * Throws UNAUTHENTICATED if a request is meant for another viewer. Tabs of a browser share a cookie: what was written as one
 * user must not be sent as another who signed in meanwhile.
 */
export function requireIntendedViewer(viewer: Viewer | undefined, intendedId: unknown): void {
  if (intendedId === undefined || (viewer && viewerIdOf(viewer.userId) === intendedId)) return;
  throw unauthenticated(
    viewer
      ? `This request is meant for another viewer than the one who is signed in now: see ${viewerHeader}.`
      : `This request is meant for a viewer who is not signed in any more: see ${viewerHeader}.`,
  );
}
