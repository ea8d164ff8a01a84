// PostgreSQL, Redis and three nodes, each a process of its own, with a link between every two that talk and to the clients.

import { Redis } from 'ioredis';
import pg from 'pg';
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
  /** Chooses the jitter of links. */
  readonly random?: () => number;
  /** Is told of a node that ended and was not asked to, or not as it should when asked. */
  onCrash(node: number, how: string): void;
}

type OpenNode = (index: number, nodeArgs: readonly string[]) => Promise<RigNode>;

/** Nodes are users like any other: what is kept for superusers is kept for the rig. */
const user = 'gapless';

export class Rig implements AsyncDisposable {
  readonly nodes: readonly RigNode[];
  readonly postgres: Postgres;
  readonly redis: RedisServer;
  readonly #openNode: OpenNode;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    nodes: readonly RigNode[],
    postgres: Postgres,
    redis: RedisServer,
    openNode: OpenNode,
    cleanup: AsyncDisposableStack,
  ) {
    this.nodes = nodes;
    this.postgres = postgres;
    this.redis = redis;
    this.#openNode = openNode;
    this.#cleanup = cleanup;
  }

  /** Starts everything. Resolves when every node is ready. */
  static async start({ nodes: count = 3, nodeArgs = [], env = {}, postgresSettings = {}, random = Math.random, onCrash }: RigOptions) {
    await using started = new AsyncDisposableStack();
    const postgres = started.use(await startPostgres({ max_connections: '100', ...postgresSettings }));
    const redis = started.use(await startRedis());
    const admin = await connect(postgres.url);
    await admin.query(`create role ${user} login`);
    await admin.query(`create database ${user} owner ${user}`);
    await admin.end();
    const databaseUrl = databaseOf(postgres, user);
    const openNode: OpenNode = (index, args) =>
      RigNode.open({ index, nodeArgs: args, env, databaseUrl, redisPort: redis.port, random, onCrash });
    const nodes: RigNode[] = [];
    for (let index = 0; index < count; index += 1) nodes.push(started.use(await openNode(index, nodeArgs)));
    await Promise.all(nodes.map((node) => node.start()));
    return new Rig(nodes, postgres, redis, openNode, started.move());
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
    return databaseOf(this.postgres, user).href;
  }

  /** A connection of the rig's own to the nodes' database, past every link, as a superuser. End it. */
  connectPostgres(): Promise<pg.Client> {
    return connect(databaseOf(this.postgres, 'postgres').href);
  }

  /** Asks the nodes' database. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are as the statement says
  async ask<Row extends pg.QueryResultRow = any>(statement: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.connectPostgres();
    try {
      return (await client.query<Row>(statement, values)).rows;
    } finally {
      await client.end();
    }
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

function databaseOf(postgres: Postgres, as: string): URL {
  const url = new URL(postgres.url);
  url.username = as;
  url.pathname = `/${user}`;
  return url;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  // PostgreSQL is killed in these runs: whoever waits for an answer hears of it there.
  client.on('error', () => {});
  await client.connect();
  return client;
}
