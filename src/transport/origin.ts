// Which web pages may use the server. Browsers do not check this for WebSockets, and send the cookie along, so the server
// checks it for every request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from './refusal.ts';
import { viewerHeader } from './viewer.ts';

/** Throws 403 for a page of another origin that is not allowed. A request without Origin does not come from a page. */
export function requireAllowedOrigin(request: IncomingMessage, allowed: readonly string[]): void {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Refusal(403, `Pages of ${origin} may not use this server: its operator can add them to ALLOWED_ORIGINS.`);
}

/** Lets a page of an allowed origin read the answer. */
export function allowOrigin({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('vary', 'origin');
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', `authorization, content-type, last-event-id, ${viewerHeader}`);
}
