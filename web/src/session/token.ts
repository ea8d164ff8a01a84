// The token of a host application: it comes in the address, `#token=…`, and is kept for as long as the tab is open.

import { tab } from '../keep.ts';

const key = 'gapless.token';

/** The token in the address, which is taken out of it there. Undefined where there is none. */
export function takeTokenFromAddress(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return token;
}

export const findToken = (): string | undefined => tab.get(key);
export const keepToken = (token: string): void => tab.set(key, token.replace(/^\s*Bearer\s+/i, '').trim());
export const forgetToken = (): void => tab.remove(key);
