// PostgreSQL, Redis and three nodes, each a process of its own, with a link between every two that talk and to the clients.

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
  /** How many. 3, unless given. */
  readonly nodes?: number;
  /** What Node is told before the program, such as `--import` and a module. */
  readonly nodeArgs?: readonly string[];
  /** Settings of the nodes, beside those that the rig makes. */
  readonly env?: Readonly<Record<string, string>>;
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** The nodes reach PostgreSQL through PgBouncer in transaction mode, and commits are not durable by default. */
  readonly pooled?: boolean;
  /** The program of the previous version, on which the nodes are started first. This version, unless given. */
  readonly previousMain?: string | undefined;
  /** Chooses the jitter of links. */
  readonly random?: () => number;
  /** Is told of a node that ended and was not asked to, or not as it should when asked. */
  onCrash(node: number, how: string): void;
}

type OpenNode = (index: number, nodeArgs: readonly string[]) => Promise<RigNode>;

/** Whom the nodes connect as, and the name of their database. Connections that are reserved for superusers are the rig's. */
export const role = { name: 'gapless', password: 'gapless' } as const;
/** Before the lines of initdb, which trust everyone: a password that changes must be asked for. */
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
    // Each line of its log begins with the SQLSTATE.
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

  /** Starts one more, which has seen nothing of what was done to the others, and is told nothing before the program. */
  async startWitness(): Promise<RigNode> {
    const witness = this.#cleanup.use(await this.#openNode(this.nodes.length, []));
    await witness.start();
    return witness;
  }

  /** What every node and its links count. */
  counts(): Promise<Counts[]> {
    return Promise.all(this.nodes.map((node) => node.counts()));
  }

  /** The nodes' database as they connect to it, but past their links. */
  get databaseUrl(): string {
    const url = databaseOf(this.postgres, role.name);
    url.password = role.password;
    return url.href;
  }

  /** A connection of the rig's own to the nodes' database, past every link, as a superuser. End it. */
  connectPostgres(): Promise<pg.Client> {
    return connect(databaseOf(this.postgres, 'postgres').href);
  }

  /** Asks the nodes' database. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are as the statement says
  async ask<Row extends pg.QueryResultRow = any>(statement: string, values: unknown[] = []): Promise<Row[]> {
    return askOnce(await this.connectPostgres(), statement, values);
  }

  /** Asks PostgreSQL through another database than that of the nodes. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are as the statement says
  async askServer<Row extends pg.QueryResultRow = any>(statement: string): Promise<Row[]> {
    return askOnce(await connect(this.postgres.url), statement);
  }

  /** Terminates the backends that serve nodes, and returns how many they were. */
  async terminateNodes(): Promise<number> {
    return (await this.askServer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role.name}'`)).length;
  }

  /** A connection of the rig's own to Redis, past every link. Dispose of it. */
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

/** Has PostgreSQL ask the nodes for their password, and listen on a Unix socket in the folder as well. */
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
/** PgBouncer replaces a backend after a second, and with it all that was set for its session. */
const poolerSettings = { server_lifetime: '1', server_login_retry: '1' };

async function startPooler(postgres: Postgres, databaseUrl: URL): Promise<{ url: URL } & AsyncDisposable> {
  await askOnce(await connect(postgres.url), `alter database ${role.name} set synchronous_commit = off`);
  const pooler = await startPgBouncer(databaseUrl.href, poolSize, poolerSettings);
  return { url: new URL(pooler.url), [Symbol.asyncDispose]: () => pooler[Symbol.asyncDispose]() };
}

function databaseOf(postgres: Postgres, as: string): URL {
  const url = new URL(postgres.url);
  url.username = as;
  url.pathname = `/${role.name}`;
  return url;
}

async function askOnce<Row extends pg.QueryResultRow>(client: pg.Client, statement: string, values: unknown[] = []): Promise<Row[]> {
  try {
    return (await client.query<Row>(statement, values)).rows;
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  // PostgreSQL is killed in these runs: whoever waits for an answer hears of it there.
  client.on('error', () => {});
  await client.connect();
  return client;
}
