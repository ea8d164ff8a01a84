// The cookies that hold the token of a browser. A browser sends the cookies of a host to every port of it, so the name contains
// the port: servers on one host do not sign each other out. Of two cookies with the same name, none is believed.

import type { IncomingHttpHeaders } from 'node:http';

/** Which session of the browser a request belongs to: that of the web chat and other pages, or GraphiQL's own. */
export type CookieSession = 'page' | 'graphiql';

/** The name without a port, which an application may set for its own pages. It is read and never written. */
export const sharedName = 'gapless_token';

/** The name under which this server stores the token of a request's browser. */
export function cookieNameOf({ host }: IncomingHttpHeaders, session: CookieSession, https: boolean): string {
  const base = session === 'page' ? sharedName : `${sharedName}_${session}`;
  // Another host cannot set a cookie whose name begins with __Host-, nor can a page without https.
  return `${https ? '__Host-' : ''}${base}_${/:(\d+)$/.exec(host ?? '')?.[1] ?? (https ? 443 : 80)}`;
}

export interface TokenCookie {
  readonly name: string;
  readonly token: string;
}

/** The names of cookies that are looked for, the first one first. Not every request says whether its browser uses https. */
const namesOf = (headers: IncomingHttpHeaders, session: CookieSession): string[] => [
  cookieNameOf(headers, session, true),
  cookieNameOf(headers, session, false),
  ...(session === 'page' ? [sharedName] : []),
];

/** The cookie with the token. */
export function findTokenCookie(headers: IncomingHttpHeaders, session: CookieSession): TokenCookie | undefined {
  if (headers.cookie === undefined) return undefined;
  const cookies = parse(headers.cookie);
  for (const name of namesOf(headers, session)) {
    const [token, ...more] = cookies.filter((cookie) => cookie.name === name).map((cookie) => cookie.token);
    // Somebody else has set one of the two, such as another host of the same domain.
    if (more.length > 0) return undefined;
    if (token !== undefined) return { name, token };
  }
  return undefined;
}

/** The names of all cookies with a token in the request, whether they are believed or not. */
export function tokenCookieNames(headers: IncomingHttpHeaders, session: CookieSession): string[] {
  const names = new Set(parse(headers.cookie ?? '').map(({ name }) => name));
  return namesOf(headers, session).filter((name) => names.has(name));
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
