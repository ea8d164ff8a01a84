// PostgreSQL and Redis, the same for every contender, and a new database for each measured server.

import { Redis } from 'ioredis';
import pg from 'pg';
import { createDatabase, type Postgres, startPostgres } from '../../tests/support/postgres.ts';
import { type RedisServer, startRedis } from '../../tests/support/redis.ts';
import { cpuNsOf, familyCpuNsOf } from './usage.ts';

/** The table that contenders write to. Gapless has its own tables. */
const messagesTable = `create table bench_messages (
  id bigint generated always as identity primary key,
  room_id text not null, sender text not null, body text not null, created_at timestamptz not null default now())`;

export class Services implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #redis: RedisServer;

  private constructor(postgres: Postgres, redis: RedisServer) {
    this.#postgres = postgres;
    this.#redis = redis;
  }

  /** Starts both with their default settings, on the core of this process. */
  static async start(): Promise<Services> {
    await using started = new AsyncDisposableStack();
    const services = new Services(started.use(await startPostgres()), started.use(await startRedis()));
    started.move();
    return services;
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  /** Creates a database for one contender. */
  async createDatabase(): Promise<{ url: string } & AsyncDisposable> {
    const database = await createDatabase(this.#postgres.url);
    await ask(database.url, messagesTable);
    return database;
  }

  /** CPU time used by both so far, in nanoseconds. */
  cpuNs(): number {
    return familyCpuNsOf(this.#postgres.pid) + cpuNsOf(this.#redis.pid);
  }

  /** Names and versions. */
  async versions(): Promise<string[]> {
    const [{ server_version: postgres } = {}] = await ask(this.#postgres.url, 'show server_version');
    const redis = new Redis(this.redisUrl);
    const [, version] = /redis_version:(\S+)/.exec(await redis.info('server')) ?? [];
    redis.disconnect();
    return [`PostgreSQL ${postgres}`, `Redis ${version}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#redis[Symbol.asyncDispose]();
    await this.#postgres[Symbol.asyncDispose]();
  }
}

/** Runs a statement on a new connection. */
export async function ask(url: string, statement: string, values: unknown[] = []): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(statement, values)).rows;
  } finally {
    await client.end();
  }
}
