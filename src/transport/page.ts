// The web chat at `/`: the files that `npm run build` has written. They load nothing from other hosts.

import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import sirv from 'sirv';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

const built = join(import.meta.dirname, '../../dist/web');
/** Their names contain a hash of their content, so browsers cache them forever. */
const assets = '/assets/';

const headers = {
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** Answers a request for the page or its assets. False if the request is for something else. */
export type Page = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** Serves the page in `folder`, with the identity mode written into it. Undefined if the page is not built. */
export function openPage({ identity }: Pick<Config, 'identity'>, log: Log, folder = built): Page | undefined {
  const index = join(folder, 'index.html');
  if (!existsSync(index)) {
    log.warn('the web chat is not built, so / redirects to GraphiQL: `npm run build` builds it');
    return undefined;
  }
  const html = readFileSync(index, 'utf8').replace('data-identity="guest"', `data-identity="${identity.mode}"`);
  const serve = sirv(folder, { immutable: true, maxAge: 31_536_000, brotli: true, gzip: true, setHeaders: setHeadersOf });
  return (request, response, path) => {
    if (path === '/') {
      setHeadersOf(response);
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' }).end(html);
      return true;
    }
    if (!path.startsWith(assets)) return false;
    let found = true;
    serve(request, response, () => {
      found = false;
    });
    return found;
  };
}

function setHeadersOf(response: ServerResponse): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
