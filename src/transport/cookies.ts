// The cookies that hold the token of a browser. A browser sends the cookies of a host to every port of it, so the name contains
// the port: servers on one host do not sign each other out. Of two cookies with the same name, none is believed.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** Which session of the browser a request belongs to: that of the web chat and other pages, or GraphiQL's own. */
export type CookieSession = 'page' | 'graphiql';

/** The name without a port, which an application may set for its own pages. It is read and never written. */
export const sharedName = 'gapless_token';

type Request = Pick<IncomingMessage, 'headers' | 'socket'>;

/** The name under which this server stores the token of a request's browser. */
export function cookieNameOf(request: Request, session: CookieSession): string {
  return nameOf(request.headers, session, usesHttps(request));
}

function nameOf({ host }: IncomingHttpHeaders, session: CookieSession, https: boolean): string {
  const base = session === 'page' ? sharedName : `${sharedName}_${session}`;
  // Another host cannot set a cookie whose name begins with __Host-, nor can a page without https.
  return `${https ? '__Host-' : ''}${base}_${/:(\d+)$/.exec(host ?? '')?.[1] ?? (https ? 443 : 80)}`;
}

/**
 * Whether the browser uses https: by the connection, by what a proxy says, or because the page does, which its browser then
 * requires of this server too. Whoever forges one of the headers only loses their own cookie.
 */
function usesHttps({ headers, socket }: Request): boolean {
  const { origin, host } = headers;
  return 'encrypted' in socket || /^https\b/i.test(String(headers['x-forwarded-proto'] ?? '')) || origin === `https://${host}`;
}

export interface TokenCookie {
  readonly name: string;
  readonly token: string;
}

/** The cookie with the token. A request without Origin does not say whether it came over https, so both names are looked for. */
export function findTokenCookie({ headers }: Pick<Request, 'headers'>, session: CookieSession): TokenCookie | undefined {
  if (headers.cookie === undefined) return undefined;
  const names = [nameOf(headers, session, true), nameOf(headers, session, false), ...(session === 'page' ? [sharedName] : [])];
  const cookies = parse(headers.cookie);
  for (const name of names) {
    const [token, ...more] = cookies.filter((cookie) => cookie.name === name).map((cookie) => cookie.token);
    // Somebody else has set one of the two, such as another host of the same domain.
    if (more.length > 0) return undefined;
    if (token !== undefined) return { name, token };
  }
  return undefined;
}

function parse(header: string): TokenCookie[] {
  return header.split(';').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [] : [{ name: pair.slice(0, at).trim(), token: pair.slice(at + 1).trim() }];
  });
}

/** The Set-Cookie header that stores the token, for the addresses below `path`. Browsers require / for a __Host- cookie. */
export function setCookieHeader(name: string, token: string, maxAgeSeconds: number, path: string): string {
  const isHostOnly = name.startsWith('__Host-');
  return `${name}=${token}; Path=${isHostOnly ? '/' : path}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${isHostOnly ? '; Secure' : ''}`;
}

export const clearCookieHeader = (name: string, path: string): string => setCookieHeader(name, '', 0, path);
