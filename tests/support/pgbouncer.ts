// A PgBouncer for tests, in transaction mode unless `pool_mode` says otherwise, in front of the PostgreSQL at `DATABASE_URL`, on a free port.

import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort, start, until } from './process.ts';
import { findProgram } from './programs.ts';

/** The user that runs PgBouncer if the tests run as root, because PgBouncer refuses to run as root. */
const nobody = 65_534;

/** Sessions of one database share `poolSize` backends. `url` leads to the same database as `databaseUrl`. */
export async function startPgBouncer(
  databaseUrl: string,
  poolSize: number,
  { pool_mode = 'transaction', ...settings }: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string } & AsyncDisposable> {
  const command = await findProgram(['pgbouncer'], 'pgbouncer');
  const folder = mkdtempSync(join(tmpdir(), 'gapless-pgbouncer-'));
  const server = new URL(databaseUrl);
  const port = await freePort();
  const user = decodeURIComponent(server.username);
  const file = join(folder, 'pgbouncer.ini');
  const users = join(folder, 'users.txt');
  writeFileSync(users, `"${user}" "${decodeURIComponent(server.password)}"\n`);
  writeFileSync(
    file,
    `[databases]
* = host=${server.hostname} port=${server.port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${pool_mode}
default_pool_size = ${poolSize}
max_client_conn = 200
${Object.entries(settings)
  .map(([name, value]) => `${name} = ${value}\n`)
  .join('')}`,
  );
  const root = process.getuid?.() === 0;
  if (root) {
    chmodSync(folder, 0o755);
    for (const path of [folder, file, users]) chownSync(path, nobody, nobody);
  }
  const program = start(command, [file], root ? { uid: nobody, gid: nobody } : {});
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  await until('PgBouncer answers', async () => {
    if (!program.running) throw new Error(`PgBouncer did not start:\n${program.output()}`);
    const client = new pg.Client(url.href);
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  });
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await program.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
