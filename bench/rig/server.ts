// A contender's server: a process on the core that is kept for it, with what can be read of it from outside.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, type Program, start, until } from '../../tests/support/process.ts';
import type { Contender } from '../contender.ts';
import { onCore } from './cores.ts';
import { cpuNsOf, rssBytesOf } from './usage.ts';

const startTimeoutMs = 60_000;
const collectTimeoutMs = 60_000;
/** V8 gives memory back on threads of its own, a little after it has collected. */
const giveBackMs = 1000;
/** A server that has nothing to do uses less of its core than this. To ask 10,000 clients for a sign of life takes a tenth. */
const idleShare = 0.25;
const idleWindowMs = 500;
/** How much of what it printed tells why it ended, in characters. */
const tailLength = 2000;

export interface Surroundings {
  readonly core: number;
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

export class Server implements AsyncDisposable {
  readonly port: number;
  readonly databaseUrl: string;
  readonly #program: Program;
  /** Rejects when it ends and was not told to. */
  readonly failed: Promise<never>;
  #wanted = true;

  private constructor(port: number, databaseUrl: string, program: Program) {
    this.port = port;
    this.databaseUrl = databaseUrl;
    this.#program = program;
    this.failed = program.exited.then((code) => {
      if (this.#wanted) throw new Error(`The server ended with ${code}:\n${program.output().slice(-tailLength)}`);
      return new Promise<never>(() => {});
    });
    this.failed.catch(() => {});
  }

  /** Starts it, and waits until it is ready. */
  static async start(contender: Contender, { core, databaseUrl, redisUrl }: Surroundings): Promise<Server> {
    const port = await freePort();
    const program = startOnCore(core, contender.program, contender.nodeArgs ?? [], {
      ...contender.env,
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
    });
    const server = new Server(port, databaseUrl, program);
    try {
      const ready = until(`${contender.name} is ready`, () => contender.isReady(program.output(), port), startTimeoutMs);
      await Promise.race([ready, server.failed]);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#program.child.pid as number;
  }

  /** CPU time that it has used, in nanoseconds. */
  cpuNs(): number {
    return cpuNsOf(this.pid);
  }

  /** What it holds once it has collected its garbage, in bytes. */
  async memoryBytes(): Promise<number> {
    const collections = () => this.#program.output().split('collected\n').length;
    const before = collections();
    this.#program.child.kill('SIGUSR2');
    await until('the server has collected its garbage', () => collections() > before, collectTimeoutMs);
    await sleep(giveBackMs);
    return rssBytesOf(this.pid);
  }

  /** Resolves when it has nothing to do any more. */
  async untilIdle(): Promise<void> {
    for (let share = 1; share > idleShare; ) {
      const before = this.cpuNs();
      await sleep(idleWindowMs);
      share = (this.cpuNs() - before) / (idleWindowMs * 1e6);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wanted = false;
    await this.#program.stop('SIGKILL');
  }
}

/** Starts a program of Node with just these settings, as every contender is started. */
export function startOnCore(core: number, program: URL, nodeArgs: readonly string[], env: Readonly<Record<string, string>>): Program {
  const hook = new URL('./collect.ts', import.meta.url).href;
  const args = ['--expose-gc', '--import', hook, ...nodeArgs, fileURLToPath(program)];
  return start(...onCore(core, process.execPath, args), { env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env } });
}
