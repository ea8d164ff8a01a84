// A Redis server for tests, on a free port: redis-server or valkey-server, from the PATH or from Debian's package.

import { connect } from 'node:net';
import type { SharedRedis } from '../../src/storage/database-identity.ts';
import { freePort, type Program, start, until } from './process.ts';
import { findProgram } from './programs.ts';

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #command: string;
  #server: Program | undefined;

  constructor(command: string, port: number) {
    this.#command = command;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  get pid(): number {
    return this.#server?.child.pid as number;
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.#server = start(this.#command, args);
    await until('Redis answers', () => accepts(this.port));
  }

  /** SIGSTOP makes it silent. SIGCONT resumes it. */
  signal(signal: NodeJS.Signals): void {
    this.#server?.child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#server?.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export async function startRedis(): Promise<RedisServer> {
  const redis = new RedisServer(await findProgram(['redis-server', 'valkey-server'], 'redis-server'), await freePort());
  await redis.start();
  return redis;
}

/** How a node of one of several databases uses a Redis. */
export const sharedRedis = (url: string, databaseId = 'a-database'): SharedRedis => ({ url, databaseId: () => databaseId });

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
