// TLS to PostgreSQL by `sslmode`. As libpq, except that `require` checks the certificate as `verify-full` does: an encrypted
// connection to an unknown server would give it the password.

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { DatabaseAddress } from '../config/database-url.ts';
import { ConfigError } from '../config.ts';

/** Whether to use TLS, and how. Undefined: PGSSLMODE decides. */
export type Tls = false | ConnectionOptions | undefined;

/** `isOffered` is asked for `allow` and `prefer`, which use TLS if the server does. */
export async function chooseTls(address: DatabaseAddress, isOffered: (tls: ConnectionOptions) => Promise<boolean>): Promise<Tls> {
  const { sslMode, host } = address;
  // A Unix socket has no TLS.
  if (sslMode === undefined || sslMode === 'disable' || host?.startsWith('/')) return sslMode === undefined ? undefined : false;
  const files = readFiles(address);
  const unverified = { ...files, rejectUnauthorized: false };
  switch (sslMode) {
    case 'allow':
    case 'prefer':
      return (await isOffered(unverified)) && unverified;
    case 'no-verify':
      return unverified;
    case 'verify-ca':
      // Otherwise, any name with a certificate of a public authority would be accepted.
      if (files.ca === undefined) throw new ConfigError('DATABASE_URL: sslmode=verify-ca needs sslrootcert, the file of the authority.');
      return { ...files, checkServerIdentity: () => undefined };
    case 'require':
    case 'verify-full':
      // The name to check. With a socket and no name, Node would check for localhost.
      return host === undefined ? files : { ...files, host };
    default:
      throw new Error(`unknown sslmode ${sslMode satisfies never}`);
  }
}

/** Whether the server offers TLS. An error other than its refusal is left to the connections that follow. */
export async function offersTls(config: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(config);
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    await client.end().catch(() => {});
    return !(error instanceof Error && error.message.includes('does not support SSL'));
  }
}

function readFiles({ sslRootCert, sslCert, sslKey }: DatabaseAddress): ConnectionOptions {
  return {
    // As in libpq: the authorities that the system trusts, which is the default of Node as well.
    ...(sslRootCert === undefined || sslRootCert === 'system' ? {} : { ca: readPem('sslrootcert', sslRootCert) }),
    ...(sslCert === undefined ? {} : { cert: readPem('sslcert', sslCert) }),
    ...(sslKey === undefined ? {} : { key: readPem('sslkey', sslKey) }),
  };
}

function readPem(parameter: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`DATABASE_URL: ${parameter} names ${path}, which cannot be read: ${(error as NodeJS.ErrnoException).code}.`);
  }
  if (!text.includes('-----BEGIN ')) throw new ConfigError(`DATABASE_URL: ${parameter} names ${path}, which is not a PEM file.`);
  return text;
}
