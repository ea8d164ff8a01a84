// A Redis of our own: redis-server or valkey-server from the PATH, installed where that can be done, on a free port.

import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { freePort, type Program, run, start, until } from './process.ts';

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

  /** SIGSTOP makes it silent, SIGCONT lets it go on. */
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
  const redis = new RedisServer(await findCommand(), await freePort());
  await redis.start();
  return redis;
}

async function findCommand(): Promise<string> {
  const find = () => ['redis-server', 'valkey-server'].map(onPath).find((path) => path !== undefined);
  const found = find();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && onPath('apt-get') !== undefined) {
    console.log('Redis is not installed: installing Debian’s package redis-server.');
    await run('apt-get', ['update']);
    await run('apt-get', ['install', '--yes', '--no-install-recommends', 'redis-server'], {
      // The package would start a server of its own, on the port that everyone uses.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    const installed = find();
    if (installed !== undefined) return installed;
  }
  throw new Error('Neither redis-server nor valkey-server is on the PATH: install one of them, or set REDIS_URL.');
}

function onPath(command: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, command));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
