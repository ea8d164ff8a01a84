// The server that is fuzzed, in a process of its own, and what can be observed of it from outside.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ServerNode, startNode, startProgram } from '../support/node.ts';
import type { Holdings } from './server-probe.ts';

const probe = fileURLToPath(new URL('server-probe.ts', import.meta.url));

export class ServerUnderTest implements AsyncDisposable {
  readonly #node: ServerNode;
  /** The process of PostgreSQL that starts the others. Undefined: the database is embedded. */
  readonly #postmaster: number | undefined;

  private constructor(node: ServerNode, postmaster: number | undefined) {
    this.#node = node;
    this.#postmaster = postmaster;
  }

  /** `preload` are modules that are loaded before the server's. */
  static async start(env: Record<string, string>, preload: readonly string[] = [], postmaster?: number): Promise<ServerUnderTest> {
    const flags = [
      '--expose-gc',
      '--disable-warning=ExperimentalWarning',
      ...[probe, ...preload].flatMap((module) => ['--import', module]),
    ];
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
    return new ServerUnderTest(await startNode(env, (settings) => startProgram(settings, flags, { stdio: [...stdio] })), postmaster);
  }

  get url(): string {
    return this.#node.url;
  }

  get running(): boolean {
    return this.#node.program.running;
  }

  /** What it has logged. */
  get output(): string {
    return this.#node.program.output();
  }

  /** What it holds after a garbage collection. */
  async holdings(): Promise<Holdings & { readonly descriptors: number }> {
    const { child } = this.#node.program;
    child.send('measure');
    const [holdings] = (await once(child, 'message', { signal: AbortSignal.timeout(60_000) })) as [Holdings];
    return { ...holdings, descriptors: readdirSync(`/proc/${child.pid}/fd`).length };
  }

  /** The largest resident memory that it has had. */
  get peakBytes(): number {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#node.program.child.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** The processes that work on an answer: the server, its database, and the fuzzer itself. */
  get processes(): number[] {
    return [process.pid, this.#node.program.child.pid as number, ...childrenOf(this.#postmaster)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
  }
}

function childrenOf(parent: number | undefined): number[] {
  if (parent === undefined) return [];
  return readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
