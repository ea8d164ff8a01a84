// Which web pages may use the server. Browsers do not check this for WebSockets, and send the cookie along, so the server
// checks it for every request.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { matches } from './host.ts';
import { Refusal } from './refusal.ts';
import { type Credentials, credentialsOf, viewerHeader } from './viewer.ts';

/** How long a browser may keep the answer to a preflight. Chromium keeps none for longer. */
const preflightSeconds = 7200;
const usualHeaders = ['authorization', 'content-type', 'last-event-id', viewerHeader];
/** A page has few headers of its own. */
const maxAskedHeaders = 50;

export class Origins {
  readonly #exact: ReadonlySet<string>;
  readonly #wildcards: readonly string[];

  /** `allowed` has origins in the form in which browsers send them, some with a wildcard, such as `https://*.app.example`. */
  constructor(allowed: readonly string[]) {
    this.#wildcards = allowed.filter((origin) => origin.includes('*'));
    this.#exact = new Set(allowed);
  }

  /** Throws 403 for a page of another origin that is not allowed. A request without Origin does not come from a page. */
  require({ headers }: IncomingMessage): void {
    const { origin } = headers;
    if (origin === undefined || this.#allows(origin) || isOwn(origin, headers.host)) return;
    throw new Refusal(403, refusalOf(origin.slice(0, 200), headers));
  }

  /**
   * What identifies the viewer. A browser may send the cookie with a request that a page of another site has caused: that counts
   * as a request without a cookie, unless the origin of the page is allowed.
   */
  credentialsOf(request: IncomingMessage, target: URL): Credentials {
    const { origin, ...headers } = request.headers;
    const site = headers['sec-fetch-site'];
    const isForeign = site === 'cross-site' || site === 'same-site';
    const { authorization, cookie } = credentialsOf(request, target);
    return isForeign && !(origin !== undefined && this.#allows(origin)) ? { authorization } : { authorization, cookie };
  }

  #allows(origin: string): boolean {
    return this.#exact.has(origin) || this.#wildcards.some((pattern) => matchesWildcard(origin, pattern));
  }
}

/** Lets a page of an allowed origin read the answer. */
export function allowOrigin({ headers }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('vary', 'origin');
  const { origin } = headers;
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-credentials', 'true');
}

/** Answers a preflight: the page may send these methods and headers. */
export function answerPreflight({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.origin !== undefined) {
    response.appendHeader('vary', 'access-control-request-headers');
    response.setHeader('access-control-allow-methods', 'GET, POST');
    response.setHeader('access-control-allow-headers', [...new Set([...usualHeaders, ...askedHeaders(headers)])].join(', '));
    response.setHeader('access-control-max-age', preflightSeconds);
  }
  response.writeHead(204, { allow: 'GET, POST' }).end();
}

/** The headers that the page asks for. None if the list is longer than that of a real page, or has something else than names. */
function askedHeaders(headers: IncomingHttpHeaders): string[] {
  const asked = (headers['access-control-request-headers'] ?? '').split(',').flatMap((name) => name.trim().toLowerCase() || []);
  return asked.length <= maxAskedHeaders && asked.every((name) => /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name)) ? asked : [];
}

function matchesWildcard(origin: string, pattern: string): boolean {
  const start = pattern.indexOf('*');
  return origin.startsWith(pattern.slice(0, start)) && matches(origin.slice(start), pattern.slice(start));
}

/** Whether the page comes from this server: its origin has the host that it was asked for. A proxy may have terminated TLS. */
function isOwn(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  return page !== null && /^https?:$/.test(page.protocol) && page.host === normalizeHost(page.protocol, host);
}

/** A Host header in lower case and without the default port of the protocol. Undefined if it is missing or malformed. */
const normalizeHost = (protocol: string, host: string | undefined): string | undefined =>
  host === undefined || /[/?#@\\\s]/.test(host) ? undefined : URL.parse(`${protocol}//${host}`)?.host;

function refusalOf(origin: string, headers: IncomingHttpHeaders): string {
  const { host = '' } = headers;
  if (origin === 'null') return 'Pages without an origin may not use this server, such as a local file or a sandboxed frame.';
  if (!isOwnBehindProxy(origin, headers)) {
    return `Pages of ${origin} may not use this server: its operator can add them to ALLOWED_ORIGINS.`;
  }
  return (
    `This page of ${origin} is the server's own, but a proxy has replaced the Host header by ${host.slice(0, 200)}: ` +
    `let the proxy pass on the header of the browser (in nginx: proxy_set_header Host $http_host), or add ${origin} to ALLOWED_ORIGINS.`
  );
}

/** Whether the browser or the proxy says that the page is the server's own, or only the port is missing in the Host header. */
function isOwnBehindProxy(origin: string, headers: IncomingHttpHeaders): boolean {
  if (headers['sec-fetch-site'] === 'same-origin') return true;
  const forwarded = String(headers['x-forwarded-host'] ?? '').split(',', 1)[0];
  if (isOwn(origin, forwarded?.trim())) return true;
  const page = URL.parse(origin);
  return page !== null && page.port !== '' && page.hostname === normalizeHost(page.protocol, headers.host);
}
