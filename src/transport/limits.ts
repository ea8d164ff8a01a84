// What a request may be, before anybody reads it: how large, of which type, and from which page.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from './refusal.ts';

export const maxBodyBytes = 128 * 1024;
export const maxSocketMessageBytes = 64 * 1024;
/** Under way at once on one socket. Each that cannot write holds on to one result. */
export const maxOperations = 1000;
/** Of an operation. 1,000 nested fields are what the parser's recursion takes; a full introspection has some 300 tokens. */
export const maxTokens = 2000;

/** What a request is about. Its host is not looked at: behind a proxy it is any name, and a client may send what it likes. */
export function targetOf({ url = '/' }: IncomingMessage): URL {
  const { pathname, search } = (url.startsWith('/') ? URL.parse(`http://localhost${url}`) : URL.parse(url)) ?? {};
  if (pathname === undefined) throw new Refusal(400, 'The address cannot be read.');
  return new URL(`http://localhost${pathname}${search}`);
}

/**
 * Whether a page of this origin may talk to the server: its own, or one of the allowed ones. What sends no Origin is no
 * page. Browsers check nothing of the kind for WebSockets, and send the cookie along.
 */
export function requireAllowedOrigin(request: IncomingMessage, allowed: readonly string[]): void {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Refusal(403, `Pages of ${origin} may not use this server: its operator can add them to ALLOWED_ORIGINS.`);
}

/** Has the browser show a page of an allowed origin the answer, whatever it will be. */
export function allowOrigin({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('vary', 'origin');
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', 'authorization, content-type, last-event-id');
}

/** Reads the body of a POST: JSON only, since any page can send the other types without asking. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new Refusal(415, 'Send the operation as application/json.');
  const tooLarge = () => new Refusal(413, `The body may have ${maxBodyBytes} bytes at most.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge();
  const { promise: body, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request
    .on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) reject(tooLarge());
      else chunks.push(chunk);
    })
    .on('end', () => resolve(Buffer.concat(chunks).toString()))
    .on('error', reject);
  return body;
}
