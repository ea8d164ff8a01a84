// The path and query of a request. The Host header is ignored, because a proxy or a client may set it to any name.

import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

export const graphqlPath = '/graphql';

/** The path and query of a request. Throws 400 if its address cannot be parsed. */
export function targetOf({ url = '/' }: IncomingMessage): URL {
  const { pathname, search } = (url.startsWith('/') ? URL.parse(`http://localhost${url}`) : URL.parse(url)) ?? {};
  if (pathname === undefined) throw new Refusal(400, 'The address cannot be parsed.');
  return new URL(`http://localhost${pathname}${search}`);
}
