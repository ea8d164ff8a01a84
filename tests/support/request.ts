// One operation over HTTP, as the bare response, for tests of what Guest.ask does not show.

import type { Guest } from './server.ts';

export interface Operation {
  readonly query: string;
  readonly variables?: object;
}

export function request(
  { url, token }: Pick<Guest, 'url' | 'token'>,
  { query, variables = {} }: Operation,
  { method, accept }: { method: 'GET' | 'POST'; accept: string },
): Promise<Response> {
  const target = new URL(url);
  if (method === 'GET') {
    target.searchParams.set('query', query);
    target.searchParams.set('variables', JSON.stringify(variables));
  }
  return fetch(target, {
    method,
    headers: { accept, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(method === 'POST' ? { body: JSON.stringify({ query, variables }) } : {}),
  });
}
