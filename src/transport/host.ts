// Which names the server answers to. A page whose name an attacker lets point to this machine (DNS rebinding) has the same origin
// as the server, so a server that only this machine can reach does not answer to unknown names.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { Refusal } from './refusal.ts';

export type HostCheck = (request: IncomingMessage) => void;

export interface Names {
  /** Names that are set, such as `chat.example` or `*.chat.example`. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/**
 * Returns a function that throws 421 for a request to another host. `address` is the address that the server listens on. Names of
 * this machine are always allowed, because nobody can let them point elsewhere.
 */
export function createHostCheck({ allowedHosts, allowedOrigins }: Names, address: string): HostCheck {
  if (allowedHosts.length === 0 && !isLoopback(address)) return () => {};
  const allowed = [...allowedHosts, ...allowedOrigins.map((origin) => origin.replace(/^.*:\/\//, '').replace(/:\d+$/, ''))];
  const isAllowed = (host: string) => {
    const name = nameOf(host);
    return name !== undefined && (isLoopback(name) || allowed.some((pattern) => matches(name, pattern)));
  };
  /** Headers of allowed hosts. Clients send few different ones. */
  const known = new LRUCache<string, true>({ max: 100 });
  return ({ headers: { host } }) => {
    // Only HTTP/1.0 has requests without the header. Browsers send it always.
    if (host === undefined || known.has(host)) return;
    if (isAllowed(host)) return void known.set(host, true);
    throw new Refusal(
      421,
      `This server does not answer to the host ${host.slice(0, 200)}: its operator can add the name to ALLOWED_HOSTS.`,
    );
  };
}

/** Whether a host name or address means this machine: `localhost` and below, 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  const name = URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}`)?.hostname ?? host;
  return /^(.+\.)?localhost\.?$|^127(\.\d+){3}$|^\[::1\]$|^\[::ffff:7f[\da-f]{2}:[\da-f]{1,4}\]$/.test(name);
}

/** Whether a host in lower case is the one of a pattern. `*.` stands for one label. */
export const matches = (host: string, pattern: string): boolean =>
  pattern.startsWith('*.') ? /^[^.:/]+\./.test(host) && host.slice(host.indexOf('.')) === pattern.slice(1) : host === pattern;

/** The name in a Host header, in lower case and without the port. Undefined if it has none. */
const nameOf = (host: string): string | undefined => (/[/?#@\\\s]/.test(host) ? undefined : URL.parse(`http://${host}`)?.hostname);
