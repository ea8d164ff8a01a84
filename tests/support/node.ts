// A node as operators start it: `node src/main.js`, in its own process, which can be killed.

import { fileURLToPath } from 'node:url';
import { freePort, type Program, start, until } from './process.ts';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** The environment of a program: these settings only, and the cache of compiled modules of the run. */
export function programEnv(settings: Record<string, string>): Record<string, string> {
  const cache = process.env['NODE_COMPILE_CACHE'];
  return { DRAIN_DELAY_MS: '0', RATE_LIMITS: 'off', ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }), ...settings };
}

/** Starts the program with these settings only. `nodeArgs` come before the program on the command line. */
export function startProgram(
  settings: Record<string, string>,
  nodeArgs: readonly string[] = [],
  options: Parameters<typeof start>[2] = {},
): Program {
  return start(process.execPath, [...nodeArgs, main], { env: programEnv(settings), ...options });
}

export interface ServerNode extends AsyncDisposable {
  readonly program: Program;
  /** The GraphQL endpoint. */
  readonly url: string;
}

/** Starts a node by `launch`, and waits until it is ready. */
export async function startNode(
  env: Record<string, string>,
  launch: (settings: Record<string, string>) => Program = startProgram,
): Promise<ServerNode> {
  const port = env['PORT'] ?? String(await freePort());
  const program = launch({ ...env, PORT: port });
  const origin = `http://127.0.0.1:${port}`;
  await until(
    'the node is ready',
    () => {
      if (!program.running) throw new Error(`The node ended:\n${program.output()}`);
      return fetch(`${origin}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    },
    60_000,
  );
  return { program, url: `${origin}/graphql`, [Symbol.asyncDispose]: async () => void (await program.stop('SIGKILL')) };
}
