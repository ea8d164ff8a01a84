// Starts and stops the programs that tests need, on free ports.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Below the ports that Linux and macOS give to outgoing connections, which could take the port before its server listens. */
const firstPort = 11_000;
const lastPort = 32_000;

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(firstPort, lastPort);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Has a server listen on a free port of the loopback interface, and resolves with the port. */
export async function listenOn(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Waits until `condition` holds. Throws an error that names it if it does not hold in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out after ${timeoutMs} ms, waiting until ${what}.`);
    await sleep(20);
  }
}

export interface Program {
  readonly child: ChildProcess;
  /** Whether it has not ended yet, by itself or by a signal. */
  readonly running: boolean;
  /** Everything that it has printed. */
  readonly output: () => string;
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export function start(command: string, args: readonly string[], options: Parameters<typeof spawn>[2] = {}): Program {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (printed += chunk));
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal as NodeJS.Signals)));
  });
  exited.catch(() => {});
  return {
    child,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    output: () => printed,
    exited,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs a program to its end and returns its output. Throws an error with the output if the program fails. */
export async function run(command: string, args: readonly string[], options: Parameters<typeof spawn>[2] = {}): Promise<string> {
  const program = start(command, args, options);
  const code = await program.exited;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${program.output()}`);
  return program.output();
}
