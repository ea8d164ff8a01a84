// The sentence for a database that cannot be used: where it is, why, and what to do. It never contains the password.

import type { DatabaseAddress } from '../config/database-url.ts';
import { ConfigError } from '../config.ts';
import type { DatabaseFailure } from './failure.ts';

export const refusalOf = (address: DatabaseAddress, failure: DatabaseFailure) =>
  new ConfigError(`DATABASE_URL: the database at ${placeOf(address)} cannot be used: ${failure.message}${hintFor(failure)}.`);

function placeOf({ host, port }: DatabaseAddress): string {
  if (host === undefined) return 'its default address';
  const name = host.includes(':') ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port}`;
}

/** What to do about the failures that have one usual cause. */
function hintFor({ code, message }: DatabaseFailure): string {
  if (/no encryption|SSL off/i.test(message)) return '; add sslmode=verify-full, or sslmode=no-verify to accept any certificate';
  if (message.includes('does not support SSL')) return '; add sslmode=disable if the network is trusted';
  if (tlsCodes.has(code ?? ''))
    return '; name the file of its authority with sslrootcert, or accept any certificate with sslmode=no-verify';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return '; use the name in the certificate, or sslmode=verify-ca';
  if (message.includes('client password must be a string')) return ': it asks for a password, and there is none in the URL';
  return '';
}

/** Codes of Node for certificates whose authority is not trusted. */
const tlsCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
