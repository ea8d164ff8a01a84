// The address of a client: which header is believed, and which addresses count as one.

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { addressReader, type TrustedProxies } from '../../src/transport/client-address.ts';

const read = (trusted: TrustedProxies, remoteAddress: string | undefined, forwarded?: string) =>
  addressReader(trusted)({ headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress } } as unknown as IncomingMessage);

describe('the address of a client', () => {
  const cases: [string, TrustedProxies, string, string | undefined, string | undefined][] = [
    ['is that of its connection', 0, '192.0.2.1', undefined, '192.0.2.1'],
    ['is not read from a header without TRUST_PROXY', 0, '192.0.2.1', '198.51.100.1', '192.0.2.1'],
    ['is what one trusted proxy says', 1, '192.0.2.1', '198.51.100.1', '198.51.100.1'],
    ['is not what the client added before the proxy', 1, '192.0.2.1', '203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['is what the first of two trusted proxies says', 2, '192.0.2.1', '203.0.113.9, 198.51.100.1, 192.0.2.2', '198.51.100.1'],
    ['is what a proxy of a trusted network says', ['10.0.0.0/8'], '10.1.2.3', '203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['is what a trusted IPv6 proxy says', ['2001:db8::/32'], '2001:db8::7', '198.51.100.1', '198.51.100.1'],
    ['is what a trusted proxy with a mapped address says', ['10.0.0.0/8'], '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['is that of a proxy that is not trusted', ['10.0.0.0/8'], '192.0.2.1', '198.51.100.1', '192.0.2.1'],
    ['is that of a trusted proxy that adds no header', 1, '192.0.2.1', undefined, '192.0.2.1'],
    ['is that of the proxy if the header names no address', 1, '192.0.2.1', 'unknown', '192.0.2.1'],
    ['may have a port in the header', 1, '192.0.2.1', '198.51.100.1:4711', '198.51.100.1'],
    ['may have brackets and a port in the header', 1, '192.0.2.1', '[2001:db8:1:2::3]:4711', '2001:db8:1:2::/64'],
    ['is the /64 network of an IPv6 address', 0, '2001:db8:1:2:aaaa:bbbb:cccc:dddd', undefined, '2001:db8:1:2::/64'],
    ['is the IPv4 address of a mapped address', 0, '::ffff:192.0.2.1', undefined, '192.0.2.1'],
    ['is the IPv4 address of a mapped address in hexadecimal', 1, '192.0.2.9', '::ffff:c000:201', '192.0.2.1'],
    ['has no zone', 0, 'fe80::1%eth0', undefined, 'fe80::/64'],
    ['is none on this machine', 0, '127.0.0.1', undefined, undefined],
    ['is none on this machine over IPv6', 0, '::1', undefined, undefined],
    ['is none on this machine over a mapped address', 0, '::ffff:127.0.0.5', undefined, undefined],
    ['is what a proxy on this machine says', 1, '127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['is limited if a client elsewhere claims to be on this machine', ['10.0.0.0/8'], '10.0.0.2', '127.0.0.1, 10.1.1.1', '127.0.0.1'],
  ];
  for (const [name, trusted, peer, forwarded, expected] of cases) {
    it(name, () => assert.equal(read(trusted, peer, forwarded), expected));
  }

  it('is none for a connection over a Unix socket', () => assert.equal(read(0, undefined), undefined));
});
