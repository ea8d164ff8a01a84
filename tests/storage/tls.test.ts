// Connections to PostgreSQL over TLS, for each sslmode, with a private authority.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { run } from '../support/process.ts';
import { silentLog } from '../support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'gapless-tls-'));
const ca = join(folder, 'ca.pem');
const otherCa = join(folder, 'other-ca.pem');

/** A private authority, another one, and the certificate of a server with the name `localhost` only. */
async function createCertificates(): Promise<{ key: string; cert: string }> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  for (const name of ['ca', 'other-ca']) {
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  }
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost');
  await openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    'server.pem',
  );
  return { key: readFileSync(join(folder, 'server.key'), 'utf8'), cert: readFileSync(join(folder, 'server.pem'), 'utf8') };
}

describe('a connection to PostgreSQL', { timeout: 120_000 }, () => {
  let plain: Postgres;
  let secure: Postgres;
  before(async () => {
    const { key, cert } = await createCertificates();
    [plain, secure] = await Promise.all([startPostgres(), startPostgres()]);
    await secure.stop();
    // Written into its folder with the owner of that folder, as PostgreSQL demands.
    secure.addFile('server.key', key);
    secure.addFile('server.crt', cert);
    secure.addFile('pg_hba.conf', 'hostssl all all 127.0.0.1/32 trust\n');
    await secure.start({ ssl: 'on' });
  });
  after(async () => {
    await Promise.all([plain, secure].map((each) => each[Symbol.asyncDispose]()));
    rmSync(folder, { recursive: true, force: true });
  });

  const urlOf = (server: Postgres, host: string, query: string) => `postgres://postgres:hunter2@${host}:${server.port}/postgres${query}`;
  async function isEncrypted(url: string): Promise<boolean> {
    await using storage = await openStorage({ databaseUrl: url, poolSize: 2 }, silentLog);
    const { rows } = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(storage.db);
    return rows[0]?.ssl === true;
  }

  const accepted: [query: string, host: string, where: 'plain' | 'secure', encrypted: boolean][] = [
    ['', '127.0.0.1', 'plain', false],
    ['?sslmode=disable', '127.0.0.1', 'plain', false],
    ['?sslmode=allow', '127.0.0.1', 'plain', false],
    ['?sslmode=prefer', '127.0.0.1', 'plain', false],
    ['?sslmode=allow', '127.0.0.1', 'secure', true],
    ['?sslmode=prefer', '127.0.0.1', 'secure', true],
    ['?sslmode=no-verify', '127.0.0.1', 'secure', true],
    [`?sslmode=require&sslrootcert=${ca}`, 'localhost', 'secure', true],
    [`?sslmode=verify-ca&sslrootcert=${ca}`, '127.0.0.1', 'secure', true],
    [`?sslmode=verify-full&sslrootcert=${ca}`, 'localhost', 'secure', true],
  ];
  for (const [query, host, where, encrypted] of accepted) {
    it(`is ${encrypted ? 'encrypted' : 'plain'} with ${query.replace(folder, '') || 'nothing said'} to ${host}, a ${where} server`, async () => {
      assert.equal(await isEncrypted(urlOf(where === 'plain' ? plain : secure, host, query)), encrypted);
    });
  }

  const missing = join(folder, 'missing.pem');
  const refused: [query: string, host: string, where: 'plain' | 'secure', reason: RegExp][] = [
    ['', '127.0.0.1', 'secure', /no encryption; add sslmode=/],
    ['?sslmode=require', 'localhost', 'secure', /; name the file of its authority with sslrootcert/],
    ['?sslmode=verify-full', 'localhost', 'secure', /; name the file of its authority with sslrootcert/],
    [`?sslmode=require&sslrootcert=${otherCa}`, 'localhost', 'secure', /; name the file of its authority with sslrootcert/],
    [`?sslmode=verify-ca&sslrootcert=${otherCa}`, 'localhost', 'secure', /; name the file of its authority with sslrootcert/],
    [
      `?sslmode=verify-full&sslrootcert=${ca}`,
      '127.0.0.1',
      'secure',
      /127\.0\.0\.1.*; use the name in the certificate, or sslmode=verify-ca/,
    ],
    ['?sslmode=verify-ca', 'localhost', 'secure', /needs sslrootcert/],
    [
      `?sslmode=verify-full&sslrootcert=${missing}`,
      'localhost',
      'secure',
      /sslrootcert names .*missing\.pem, which cannot be read: ENOENT/,
    ],
    [`?sslmode=verify-full&sslrootcert=${join(folder, 'names')}`, 'localhost', 'secure', /is not a PEM file/],
    ['?sslmode=require', '127.0.0.1', 'plain', /does not support SSL connections; add sslmode=disable/],
  ];
  for (const [query, host, where, reason] of refused) {
    it(`is refused with a sentence with ${query.replaceAll(folder, '') || 'nothing said'} to ${host}, a ${where} server`, async () => {
      await assert.rejects(isEncrypted(urlOf(where === 'plain' ? plain : secure, host, query)), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, /^DATABASE_URL[^\n]+\.$/);
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    });
  }
});
