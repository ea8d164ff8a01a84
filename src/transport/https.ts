// Whether the browser of a request uses https. Its cookie is named by the answer, so each request of a browser must get the same one.

import type { IncomingMessage } from 'node:http';
import { proxyCheck, type TrustedProxies } from './client-address.ts';

export type UsesHttps = (request: Pick<IncomingMessage, 'headers' | 'socket'>) => boolean;

/**
 * https if the connection is encrypted, or a proxy of TRUST_PROXY says so. Otherwise, as without TRUST_PROXY, if the page of the
 * request is this server's own and its address begins with https: a page cannot choose the Origin header that its browser sends.
 */
export function httpsCheck(trusted: TrustedProxies): UsesHttps {
  const isByTrustedProxy = proxyCheck(trusted);
  return ({ headers, socket }) => {
    if ('encrypted' in socket) return true;
    // Each proxy may add what it was asked by. The first one is that of the browser.
    const [scheme] = String(headers['x-forwarded-proto'] ?? '').split(',', 1) as [string];
    if (scheme !== '' && isByTrustedProxy({ socket })) return scheme.trim().toLowerCase() === 'https';
    return headers.origin !== undefined && headers.origin === `https://${headers.host}`;
  };
}
