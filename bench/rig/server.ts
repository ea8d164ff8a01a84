// The server process of a contender, on its own core, and what can be measured of it from outside.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, type Program, start, until } from '../../tests/support/process.ts';
import type { Contender } from '../contender.ts';
import { onCore } from './cores.ts';
import { cpuNsOf, rssBytesOf } from './usage.ts';

const startTimeoutMs = 60_000;
const collectTimeoutMs = 60_000;
/** V8 returns memory to the system on other threads, shortly after a collection. */
const giveBackMs = 1000;
/** A server that uses less of its core than this share is idle. Pinging 10,000 clients takes a tenth. */
const idleShare = 0.25;
const idleWindowMs = 500;
/** Characters of output that an error shows. */
const tailLength = 2000;

export interface ServerEnvironment {
  readonly core: number;
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

export class Server implements AsyncDisposable {
  readonly port: number;
  readonly databaseUrl: string;
  readonly #program: Program;
  /** Rejects if the server ends without being stopped. */
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

  /** Starts a server and waits until it is ready. */
  static async start(contender: Contender, { core, databaseUrl, redisUrl }: ServerEnvironment): Promise<Server> {
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

  /** CPU time used so far, in nanoseconds. */
  cpuNs(): number {
    return cpuNsOf(this.pid);
  }

  /** Resident memory after a garbage collection, in bytes. */
  async memoryBytes(): Promise<number> {
    const collections = () => this.#program.output().split('collected\n').length;
    const before = collections();
    this.#program.child.kill('SIGUSR2');
    await until('the server has collected its garbage', () => collections() > before, collectTimeoutMs);
    await sleep(giveBackMs);
    return rssBytesOf(this.pid);
  }

  /** Resolves when the server is idle. */
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

/** Starts a Node program with only these environment variables, as every contender is started. */
export function startOnCore(core: number, program: URL, nodeArgs: readonly string[], env: Readonly<Record<string, string>>): Program {
  const hook = new URL('./collect.ts', import.meta.url).href;
  const args = ['--expose-gc', '--import', hook, ...nodeArgs, fileURLToPath(program)];
  return start(...onCore(core, process.execPath, args), { env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env } });
}
