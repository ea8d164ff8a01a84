// One node: a process of its own that is started, stopped and killed, and its links to clients, PostgreSQL and Redis.
// Its addresses survive restarts. An end without a stop is a crash, and the node is started again.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { programEnv } from '../../tests/support/node.ts';
import { freePort, type Program, start, until } from '../../tests/support/process.ts';
import { type Counts, flatten } from './counts.ts';
import { Link } from './link.ts';

const startTimeoutMs = 60_000;
/** How long a node may take to end in order. */
const drainTimeoutMs = 25_000;
/** How long a node may take to answer /ready. The previous version queries the database first, for up to 4.5 s. */
const answerTimeoutMs = 10_000;
/** Delay before a crashed node is started again. */
const restartDelayMs = 1000;
/** How much of the output is reported with a crash, in characters. */
const tailLength = 2000;

export interface NodeOptions {
  readonly index: number;
  readonly env: Readonly<Record<string, string>>;
  /** Arguments of Node before the program. */
  readonly nodeArgs: readonly string[];
  readonly databaseUrl: URL;
  /** The same database, without the link. */
  readonly unixSocketUrl: string;
  readonly redisPort: number;
  readonly random: () => number;
  onCrash(node: number, how: string): void;
}

/** The program of this version. */
export const currentMain = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** How a node is started. */
export interface Launch {
  /** The program: of this version, or of the previous one. */
  main: string;
  /** Connects to PostgreSQL over its Unix socket, without the link. */
  unixSocket: boolean;
}

export class RigNode implements AsyncDisposable {
  readonly index: number;
  /** The GraphQL endpoint, through the link between the clients and the node. */
  readonly url: string;
  readonly links: { readonly clients: Link; readonly postgres: Link; readonly redis: Link };
  /** Takes effect at the next start. */
  readonly launch: Launch = { main: currentMain, unixSocket: false };
  /** Where its process listens, without the link. */
  readonly port: number;
  readonly #options: NodeOptions;
  #program: Program | undefined;
  /** Whether it should be running: an end is then a crash. */
  #wanted = false;
  #disposed = false;
  #starting: Promise<void> | undefined;

  private constructor(options: NodeOptions, port: number, links: RigNode['links']) {
    this.index = options.index;
    this.url = `http://127.0.0.1:${links.clients.port}/graphql`;
    this.links = links;
    this.port = port;
    this.#options = options;
  }

  /** Opens its links, but does not start its process. */
  static async open(options: NodeOptions): Promise<RigNode> {
    const { random, databaseUrl, redisPort } = options;
    const port = await freePort();
    const [clients, postgres, redis] = await Promise.all([
      Link.open({ port }, random),
      Link.open({ port: Number(databaseUrl.port) }, random),
      Link.open({ port: redisPort }, random),
    ]);
    return new RigNode(options, port, { clients, postgres, redis });
  }

  /** Starts it, and waits until it is ready. */
  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  /** Ends it with a signal. Resolves with its exit code, or the signal. */
  async stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | undefined> {
    this.#wanted = false;
    return this.#program?.stop(signal);
  }

  /** Stops it with SIGTERM. If it does not end in time and with code 0, it has crashed. */
  async drain(): Promise<void> {
    const slow = setTimeout(() => {
      this.#crashed(`was stopped with SIGTERM and had not ended after ${drainTimeoutMs} ms`);
      void this.stop('SIGKILL');
    }, drainTimeoutMs);
    const code = await this.stop('SIGTERM');
    clearTimeout(slow);
    if (code !== 0) this.#crashed(`ended with ${code} after SIGTERM`);
  }

  /** Ends it in order, and starts it with `launch` changed. */
  async relaunch(changes: Partial<Launch>): Promise<void> {
    Object.assign(this.launch, changes);
    await this.drain();
    await this.start();
  }

  /** Stops the process (SIGSTOP) until `resume`. */
  pause(): void {
    this.#program?.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#program?.child.kill('SIGCONT');
  }

  /** The answer to /ready, without the links. Undefined if there is none. */
  async ready(timeoutMs = answerTimeoutMs): Promise<Record<string, unknown> | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/ready`, { signal: AbortSignal.timeout(timeoutMs) });
      return (await response.json()) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  }

  /** Its counters, if it answers, and those of its links: `redis.reconnects`, `links.postgres.connections`. */
  async counts(): Promise<Counts> {
    const { redisCounts = {}, counts = {} } = (await this.ready()) ?? {};
    const links = Object.entries(this.links).map(([name, link]) => [name, link.counts]);
    return { ...flatten({ redis: redisCounts }), ...flatten(counts as object), ...flatten({ links: Object.fromEntries(links) }) };
  }

  get pid(): number {
    return this.#program?.child.pid as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.stop('SIGKILL');
    await Promise.all(Object.values(this.links).map((link) => link[Symbol.asyncDispose]()));
  }

  async #start(): Promise<void> {
    const { env, nodeArgs, databaseUrl, unixSocketUrl } = this.#options;
    const linked = new URL(databaseUrl);
    linked.port = String(this.links.postgres.port);
    const database = this.launch.unixSocket ? unixSocketUrl : linked.href;
    const services = { DATABASE_URL: database, REDIS_URL: `redis://127.0.0.1:${this.links.redis.port}`, IDENTITY: 'guest' };
    const program = start(process.execPath, [...nodeArgs, this.launch.main], {
      env: programEnv({ LOG_LEVEL: 'warn', ...services, PORT: String(this.port), ...env }),
    });
    this.#program = program;
    const isReady = async () => {
      if (!program.running) throw new Error(`Node ${this.index} did not start:\n${program.output()}`);
      return (await this.ready())?.['ready'] === true;
    };
    try {
      await until(`node ${this.index} is ready`, isReady, startTimeoutMs);
    } catch (error) {
      await program.stop('SIGKILL');
      throw error;
    }
    this.#wanted = true;
    void program.exited.then((code) => this.#ended(program, code));
  }

  #ended(program: Program, code: number | NodeJS.Signals): void {
    if (!this.#wanted || this.#program !== program) return;
    this.#wanted = false;
    this.#crashed(`ended with ${code}`);
    void this.#startAgain();
  }

  #crashed(how: string): void {
    this.#options.onCrash(this.index, `${how}:\n${this.#program?.output().slice(-tailLength)}`);
  }

  async #startAgain(): Promise<void> {
    while (!this.#wanted && !this.#disposed) {
      await sleep(restartDelayMs);
      await this.start().catch(() => {});
    }
  }
}
