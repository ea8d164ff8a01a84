// The path and query of a request. The Host header has no part in it.

import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

export const graphqlPath = '/graphql';

/**
 * The path and query of a request, without the path that everything is served under. Throws 400 if the address cannot be parsed,
 * and 404 if it is outside of that path.
 */
export function targetOf({ url = '/' }: IncomingMessage, basePath: string): URL {
  const parsed = url.startsWith('/') ? URL.parse(`http://localhost${url}`) : URL.parse(url);
  const { pathname, search } = parsed ?? {};
  if (parsed === null || pathname === undefined) throw new Refusal(400, 'The address cannot be parsed.');
  if (basePath !== '' && pathname !== basePath && !pathname.startsWith(`${basePath}/`)) {
    throw new Refusal(404, `There is nothing at ${pathname}: this server is at ${basePath}/.`);
  }
  if (basePath === '') return parsed;
  return new URL(`http://localhost${pathname.slice(basePath.length)}${search}`);
}
