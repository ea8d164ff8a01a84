// The token of the host application. It arrives in the address, `#token=…`, and is kept as long as the tab is open.

import { tab } from '../storage.ts';

const key = 'gapless.token';

/** Removes a token from the fragment of the address and returns it. Undefined if there is none. Fragments reach no server. */
export function takeTokenFromAddress(name: 'token' | 'recover'): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get(name);
  if (token === null) return undefined;
  history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** A link with which a guest can come back. */
export const recoveryLink = (token: string): string => `${location.origin}${location.pathname}#recover=${token}`;

export const findToken = (): string | undefined => tab.get(key);
export const keepToken = (token: string): void => tab.set(key, token.replace(/^\s*Bearer\s+/i, '').trim());
export const forgetToken = (): void => tab.remove(key);
