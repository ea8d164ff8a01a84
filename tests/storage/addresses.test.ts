// Where a DATABASE_URL may lead: Unix sockets and IPv6, with any password.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { openStorage } from '../../src/storage/database.ts';
import { ping } from '../../src/storage/kysely.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { silentLog } from '../support/server.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
const password = 'p@ss:w/o?r#d% é+&=';
const plainPassword = 'p@ss:w|ord% [é]';

describe('a database', { timeout: 120_000 }, () => {
  const sockets = mkdtempSync(join(tmpdir(), 'gapless-sockets-'));
  chmodSync(sockets, 0o777);
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres({ unix_socket_directories: sockets, listen_addresses: hasIPv6 ? '127.0.0.1,::1' : '127.0.0.1' });
    const admin = new pg.Client(postgres.url);
    await admin.connect();
    await admin.query(`create role ada login superuser password ${admin.escapeLiteral(password)}`);
    await admin.query(`create role bob login superuser password ${admin.escapeLiteral(plainPassword)}`);
    await admin.end();
    await postgres.stop();
    postgres.addFile('pg_hba.conf', 'host all postgres all trust\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n');
    await postgres.start();
  });
  after(async () => {
    await postgres[Symbol.asyncDispose]();
    rmSync(sockets, { recursive: true, force: true });
  });

  const answers = async (databaseUrl: string) => {
    await using storage = await openStorage({ databaseUrl, poolSize: 2 }, silentLog);
    await ping(storage.db);
  };
  const encoded = encodeURIComponent(password);

  it('is reached through a Unix socket, as Cloud SQL names it', async () => {
    await answers(`postgres://ada:${encoded}@/postgres?host=${sockets}&port=${postgres.port}`);
  });

  it('is reached through a Unix socket that is written as a host', async () => {
    await answers(`postgres://ada:${encoded}@${encodeURIComponent(sockets)}:${postgres.port}/postgres?sslmode=verify-full`);
  });

  it('is reached over IPv6', { skip: !hasIPv6 && 'this machine has no IPv6' }, async () => {
    await answers(`postgres://ada:${encoded}@[::1]:${postgres.port}/postgres`);
  });

  it('takes a password that is not encoded, where that is not ambiguous', async () => {
    await answers(`postgres://bob:${plainPassword}@127.0.0.1:${postgres.port}/postgres`);
  });

  it('refuses a wrong password with a sentence that does not contain it', async () => {
    await assert.rejects(answers(`postgres://ada:hunter2@127.0.0.1:${postgres.port}/postgres`), {
      message: `DATABASE_URL: the database at 127.0.0.1:${postgres.port} cannot be used: password authentication failed for user "ada".`,
    });
  });

  it('asks for a password that the URL lacks with a sentence', async () => {
    await assert.rejects(answers(`postgres://ada@127.0.0.1:${postgres.port}/postgres`), {
      message: /: it asks for a password, and there is none in the URL\.$/,
    });
  });
});
