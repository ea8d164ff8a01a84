// What a request asks for. Its host is not looked at: behind a proxy it is any name, and a client may send what it likes.

import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

export const graphqlPath = '/graphql';

/** The path and query of a request. Throws 400 if its address cannot be parsed. */
export function targetOf({ url = '/' }: IncomingMessage): URL {
  const { pathname, search } = (url.startsWith('/') ? URL.parse(`http://localhost${url}`) : URL.parse(url)) ?? {};
  if (pathname === undefined) throw new Refusal(400, 'The address cannot be parsed.');
  return new URL(`http://localhost${pathname}${search}`);
}
