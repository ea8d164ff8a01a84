// PostgreSQL, Redis and three nodes, each in a process of its own, with a link on every connection between them.

import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startPgBouncer } from '../../tests/support/pgbouncer.ts';
import { type Postgres, startPostgres } from '../../tests/support/postgres.ts';
import { type RedisServer, startRedis } from '../../tests/support/redis.ts';
import type { Counts } from './counts.ts';
import { RigNode } from './node.ts';

export interface RigOptions {
  /** Number of nodes. Default: 3. */
  readonly nodes?: number;
  /** Arguments of Node before the program, such as `--import` and a module. */
  readonly nodeArgs?: readonly string[];
  /** Settings of the nodes, in addition to those of the rig. */
  readonly env?: Readonly<Record<string, string>>;
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** The nodes reach PostgreSQL through PgBouncer in transaction mode, and commits are not durable by default. */
  readonly pooled?: boolean;
  /** The program of the previous version, with which the nodes are first started. Default: this version. */
  readonly previousMain?: string | undefined;
  /** Chooses the jitter of links. */
  readonly random?: () => number;
  /** Called when a node ends without being stopped, or does not stop cleanly. */
  onCrash(node: number, how: string): void;
}

type OpenNode = (index: number, nodeArgs: readonly string[]) => Promise<RigNode>;

/** The role of the nodes, and the name of their database. The connections reserved for superusers remain for the rig. */
export const role = { name: 'gapless', password: 'gapless' } as const;
/** Before the lines of initdb, which trust everyone: the role of the nodes needs its password, which a fault changes. */
const hbaLines = `local all ${role.name} scram-sha-256\nhost all ${role.name} all scram-sha-256\n`;

export class Rig implements AsyncDisposable {
  readonly nodes: readonly RigNode[];
  readonly postgres: Postgres;
  readonly redis: RedisServer;
  readonly previousMain: string | undefined;
  readonly #openNode: OpenNode;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    nodes: readonly RigNode[],
    postgres: Postgres,
    redis: RedisServer,
    previousMain: string | undefined,
    openNode: OpenNode,
    cleanup: AsyncDisposableStack,
  ) {
    this.nodes = nodes;
    this.postgres = postgres;
    this.redis = redis;
    this.previousMain = previousMain;
    this.#openNode = openNode;
    this.#cleanup = cleanup;
  }

  /** Starts everything. Resolves when every node is ready. */
  static async start(options: RigOptions): Promise<Rig> {
    const {
      nodes: count = 3,
      nodeArgs = [],
      env = {},
      postgresSettings = {},
      pooled = false,
      previousMain,
      random = Math.random,
      onCrash,
    } = options;
    await using started = new AsyncDisposableStack();
    const sockets = mkdtempSync(join(tmpdir(), 'gapless-sockets-'));
    started.defer(() => rmSync(sockets, { recursive: true, force: true }));
    // Each line of its log starts with the SQLSTATE.
    const settings = { max_connections: '100', log_line_prefix: '%e ', ...postgresSettings };
    const postgres = started.use(await startPostgres(settings));
    await listenIn(sockets, postgres, settings);
    const redis = started.use(await startRedis());
    const admin = await connect(postgres.url);
    await admin.query(`create role ${role.name} login password '${role.password}'`);
    await admin.query(`create database ${role.name} owner ${role.name}`);
    await admin.end();
    const directUrl = databaseOf(postgres, role.name);
    directUrl.password = role.password;
    const databaseUrl = pooled ? started.use(await startPooler(postgres, directUrl)).url : directUrl;
    const unixSocketUrl = `postgres:///${role.name}?host=${sockets}&port=${postgres.port}&user=${role.name}&password=${role.password}`;
    const openNode: OpenNode = (index, args) =>
      RigNode.open({ index, nodeArgs: args, env, databaseUrl, unixSocketUrl, redisPort: redis.port, random, onCrash });
    const nodes: RigNode[] = [];
    for (let index = 0; index < count; index += 1) nodes.push(started.use(await openNode(index, nodeArgs)));
    for (const { launch } of nodes) launch.main = previousMain ?? launch.main;
    await Promise.all(nodes.map((node) => node.start()));
    return new Rig(nodes, postgres, redis, previousMain, openNode, started.move());
  }

  /** Starts one more node, of this version and without a control, which was not part of any fault. */
  async startExtraNode(): Promise<RigNode> {
    const extraNode = this.#cleanup.use(await this.#openNode(this.nodes.length, []));
    await extraNode.start();
    return extraNode;
  }

  /** The counters of every node and its links. */
  counts(): Promise<Counts[]> {
    return Promise.all(this.nodes.map((node) => node.counts()));
  }

  /** The database of the nodes, with their role, without the links. */
  get databaseUrl(): string {
    const url = databaseOf(this.postgres, role.name);
    url.password = role.password;
    return url.href;
  }

  /** A connection to the database of the nodes as a superuser, without the links. The caller ends it. */
  connectPostgres(): Promise<pg.Client> {
    return connect(databaseOf(this.postgres, 'postgres').href);
  }

  /** Runs a statement in the database of the nodes. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are as the statement says
  async query<Row extends pg.QueryResultRow = any>(statement: string, values: unknown[] = []): Promise<Row[]> {
    return queryOnce(await this.connectPostgres(), statement, values);
  }

  /** Runs a statement in another database than that of the nodes. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are as the statement says
  async queryServer<Row extends pg.QueryResultRow = any>(statement: string): Promise<Row[]> {
    return queryOnce(await connect(this.postgres.url), statement);
  }

  /** Terminates the backends that serve nodes, and returns how many there were. */
  async terminateNodes(): Promise<number> {
    return (await this.queryServer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role.name}'`)).length;
  }

  /** A connection to Redis, without the links. The caller disposes of it. */
  async connectRedis(): Promise<{ redis: Redis } & Disposable> {
    const redis = new Redis(this.redis.url, { lazyConnect: true, retryStrategy: null });
    redis.on('error', () => {});
    await redis.connect();
    return { redis, [Symbol.dispose]: () => redis.disconnect() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

/** Makes PostgreSQL require the password of the nodes, and also listen on a Unix socket in the folder. */
async function listenIn(folder: string, postgres: Postgres, settings: Record<string, string>): Promise<void> {
  const { uid, gid } = statSync(postgres.data);
  chownSync(folder, uid, gid);
  chmodSync(folder, 0o755);
  const hba = join(postgres.data, 'pg_hba.conf');
  writeFileSync(hba, hbaLines + readFileSync(hba, 'utf8'));
  await postgres.stop();
  await postgres.start({ ...settings, unix_socket_directories: folder });
}

/** Backends of PostgreSQL that the connections of all nodes share. */
const poolSize = 8;
/** PgBouncer replaces each backend after a second, so that settings of its session are lost. */
const poolerSettings = { server_lifetime: '1', server_login_retry: '1' };

async function startPooler(postgres: Postgres, databaseUrl: URL): Promise<{ url: URL } & AsyncDisposable> {
  await queryOnce(await connect(postgres.url), `alter database ${role.name} set synchronous_commit = off`);
  const pooler = await startPgBouncer(databaseUrl.href, poolSize, poolerSettings);
  return { url: new URL(pooler.url), [Symbol.asyncDispose]: () => pooler[Symbol.asyncDispose]() };
}

function databaseOf(postgres: Postgres, as: string): URL {
  const url = new URL(postgres.url);
  url.username = as;
  url.pathname = `/${role.name}`;
  return url;
}

async function queryOnce<Row extends pg.QueryResultRow>(client: pg.Client, statement: string, values: unknown[] = []): Promise<Row[]> {
  try {
    return (await client.query<Row>(statement, values)).rows;
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  // PostgreSQL is killed in these runs: pending queries reject.
  client.on('error', () => {});
  await client.connect();
  return client;
}
