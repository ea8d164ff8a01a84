// The address of a client, as limits count it. A header is believed only from a proxy that TRUST_PROXY names, because a client
// can send any header.

import type { IncomingMessage } from 'node:http';
import proxyAddr from '@fastify/proxy-addr';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/** Whose forwarded headers are believed: those of this many proxies, or of the proxies in these networks. */
export type TrustedProxies = number | readonly string[];

/**
 * Reads the address of the client of a request: an IPv4 address, or the /64 network of an IPv6 address, since a client has all
 * addresses of its network. Undefined for a client on this machine, which is not limited.
 */
export type ReadAddress = (request: IncomingMessage) => string | undefined;

export function addressReader(trusted: TrustedProxies): ReadAddress {
  const trust = trustIn(trusted);
  const read = (request: IncomingMessage, peer: string) => {
    const claimed = withoutPort(proxyAddr(request, trust));
    const address = ipaddr.isValid(claimed) ? claimed : peer;
    // A client elsewhere can name a loopback address too.
    if (isLoopback(peer) && isLoopback(address)) return undefined;
    return networkOf(address);
  };
  /** By peer, for requests that came through no proxy. */
  const known = new LRUCache<string, { readonly address: string | undefined }>({ max: 10_000 });
  return (request) => {
    const peer = request.socket.remoteAddress ?? '127.0.0.1';
    if (request.headers['x-forwarded-for'] !== undefined) return read(request, peer);
    const found = known.get(peer) ?? { address: read(request, peer) };
    known.set(peer, found);
    return found.address;
  };
}

/** Whether the proxy at an address is believed. Index 0 is the proxy that this node is connected to, 1 the one before it. */
type Trust = (address: string, index: number) => boolean;

const trustIn = (trusted: TrustedProxies): Trust =>
  typeof trusted === 'number' ? (_address, index) => index < trusted : proxyAddr.compile([...trusted]);

/** Returns a function that says whether the forwarded headers of a request are those of a proxy that is believed. */
export function proxyCheck(trusted: TrustedProxies): (request: Pick<IncomingMessage, 'socket'>) => boolean {
  const trust = trustIn(trusted);
  return ({ socket: { remoteAddress } }) => remoteAddress !== undefined && trust(remoteAddress, 0);
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const withoutPort = (address: string) => address?.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1') ?? '';

const isLoopback = (address: string) => ipaddr.process(address).range() === 'loopback';

/** `process` turns an IPv4-mapped IPv6 address into its IPv4 address. */
function networkOf(text: string): string {
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0])}/64`;
}
