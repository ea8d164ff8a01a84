// The server under attack, as operators start it, in a process of its own, and what can be seen of it from outside.

import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, type Program, start, until } from '../../tests/support/process.ts';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const probe = new URL('./probe.ts', import.meta.url).href;
const sampleMs = 100;

/** What the server used during an attack. */
export interface Usage {
  readonly peakBytes: number;
  readonly peakDescriptors: number;
  readonly maxDelayMs: number;
}

export class Node implements AsyncDisposable {
  readonly port: number;
  readonly #program: Program;

  private constructor(port: number, program: Program) {
    this.port = port;
    this.#program = program;
  }

  /** Starts a node with these settings only, and waits until it is ready. */
  static async start(env: Readonly<Record<string, string>>): Promise<Node> {
    const port = await freePort();
    const settings = { PATH: process.env['PATH'], NODE_ENV: 'production', IDENTITY: 'guest', LOG_LEVEL: 'error', DRAIN_DELAY_MS: '0' };
    const program = start(process.execPath, ['--import', probe, main], {
      env: { ...settings, ...env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const node = new Node(port, program);
    await until('the server is ready', () => {
      node.requireRunning();
      return fetch(`http://127.0.0.1:${port}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  /** Throws if it has ended. */
  requireRunning(): void {
    if (!this.#program.running) throw new Error(`The server ended:\n${this.#program.output().slice(-2000)}`);
  }

  get output(): string {
    return this.#program.output();
  }

  get descriptors(): number {
    return readdirSync(`${this.#proc}/fd`).length;
  }

  get residentBytes(): number {
    return this.#memory('VmRSS');
  }

  /** Measures the server while `work` runs. */
  async measure<Result>(work: () => Promise<Result>): Promise<{ result: Result; usage: Usage }> {
    // Resets the peak of the resident memory (proc_pid_clear_refs(5)).
    writeFileSync(`${this.#proc}/clear_refs`, '5');
    await this.#readProbe();
    let peakDescriptors = this.descriptors;
    const timer = setInterval(() => {
      if (this.#program.running) peakDescriptors = Math.max(peakDescriptors, this.descriptors);
    }, sampleMs);
    try {
      const result = await work();
      this.requireRunning();
      const { maxDelayMs } = await this.#readProbe();
      return { result, usage: { peakBytes: this.#memory('VmHWM'), peakDescriptors, maxDelayMs } };
    } finally {
      clearInterval(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop('SIGKILL');
  }

  async #readProbe(): Promise<{ maxDelayMs: number; heapBytes: number }> {
    const { child } = this.#program;
    child.send('read');
    const [figures] = await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
    return figures;
  }

  get #proc(): string {
    return `/proc/${this.#program.child.pid}`;
  }

  #memory(name: string): number {
    const [, kilobytes] = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readFileSync(`${this.#proc}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }
}
