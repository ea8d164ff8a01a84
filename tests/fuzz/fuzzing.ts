// One run of the fuzzer against one server. It throws a Finding if the server answers INTERNAL, logs an error, ends, answers late
// by its own doing, or holds more at the end than after the beginning.

import { OperationTypeNode } from 'graphql';
import { until } from '../support/process.ts';
import { pick, randomFrom } from '../support/random.ts';
import { DocumentFuzzer, rootFields } from './documents.ts';
import { rawFrames } from './doors/frames.ts';
import { overHttp } from './doors/http.ts';
import { rawHttp } from './doors/raw-http.ts';
import { overSocket } from './doors/socket.ts';
import type { Exchange } from './exchange.ts';
import { ownMsOf } from './own-time.ts';
import { answersIn } from './reached.ts';
import { Scene } from './scene.ts';
import type { ServerUnderTest } from './server-under-test.ts';

export type Fault = 'INTERNAL' | 'error' | 'end' | 'late' | 'held';

export class Finding extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** How long an answer may take, apart from what it waits for on purpose. */
const lateMs = 1000;
/** How often an answer is repeated alone before it counts as late. */
const repeats = 4;
/** Rounds after which there are new rooms. */
const furnishRounds = 40;
/** Tolerances for caches, and for what ends by a timer of some minutes. */
const maxGrowth = { feeds: 0, sockets: 0, connections: 2, descriptors: 20, resources: 25, memoryBytes: 48 * 1024 * 1024 };

export interface Run {
  readonly seed: number;
  readonly seconds: number;
  /** It goes on after `seconds` up to this many exchanges. */
  readonly leastExchanges?: number;
  /** Exchanges before the holdings are measured first, so that caches are warm and pools have opened their connections. */
  readonly warmUp?: number;
  /** How long the server may take to let go of what ended. */
  readonly settleMs?: number;
}

export interface Summary {
  readonly exchanges: number;
  /** The fields of the root types that no operation was answered with. */
  readonly unreached: readonly string[];
  readonly memoryBytes: { readonly before: number; readonly after: number };
}

export async function fuzz(server: ServerUnderTest, run: Run): Promise<Summary> {
  try {
    return await runRounds(server, run);
  } catch (error) {
    // What failed may have been a request of the fuzzer itself.
    if (error instanceof Finding || server.running) throw error;
    throw new Finding('end', `The server ended during --seed ${run.seed}: ${error}\n${server.output.slice(-4000)}`);
  }
}

async function runRounds(
  server: ServerUnderTest,
  { seed, seconds, leastExchanges = 0, warmUp = 300, settleMs = 40_000 }: Run,
): Promise<Summary> {
  const random = randomFrom(seed);
  const scene = await Scene.open(server.url, random);
  const fuzzer = new DocumentFuzzer(random, scene);
  const reached = new Set<string>();
  let exchanges = 0;
  let before = await server.holdings();

  async function round(): Promise<void> {
    const batch = Array.from({ length: pick([1, 1, 1, 4, 8], random) }, () => nextExchange(scene, fuzzer, random));
    const find = (
      fault: Fault,
      how: string,
      { what }: { what: string } = { what: batch.map((each) => each.what).join('\n---\n') },
    ): never => {
      throw new Finding(fault, `Exchange ${exchanges} of --seed ${seed}: ${how}\n${what.slice(0, 4000)}\n${server.output.slice(-4000)}`);
    };
    const startMs = performance.now();
    const texts = await Promise.all(
      batch.map((each) =>
        each.run().catch((error: Error) => {
          if (!server.running) find('end', String(error));
          // It counts as late, if it is also late when it is repeated.
          return isTimeout(error) ? '' : find('error', String(error), each);
        }),
      ),
    );
    // A client that has left does not see that the server is still busy with what it sent.
    await askHealth(server.url).catch((error: Error) => isTimeout(error) || find('end', String(error)));
    const isLate = performance.now() - startMs > lateMs;
    if (!server.running) find('end', 'the server ended');
    for (const [i, text] of texts.entries()) {
      const exchange = batch[i] as Exchange;
      if (/"code":"INTERNAL"|^500 |^HTTP\/1.1 500/m.test(text)) find('INTERNAL', `the answer is ${text.slice(0, 2000)}`, exchange);
      if (/\bat \S+ \(?(file|node):/.test(text)) find('INTERNAL', `the answer has a stack trace: ${text.slice(0, 2000)}`, exchange);
      scene.learn(text);
      for (const field of answersIn(text, exchange.operations)) reached.add(field);
    }
    if (server.output !== '') find('error', 'the server logged an error');
    for (const exchange of isLate ? batch : []) {
      const ms = await leastOwnMs(server, exchange);
      if (ms > lateMs) find('late', `it took ${Math.round(ms)} ms`, exchange);
    }
    exchanges += batch.length;
    if (texts.some((text) => /UNAUTHENTICATED|"expiresAt"|signedOut/.test(text))) await scene.replaceSignedOut();
  }

  const endMs = performance.now() + seconds * 1000;
  for (let rounds = 1; performance.now() < endMs || exchanges < leastExchanges; rounds += 1) {
    const wasWarm = exchanges >= warmUp;
    await round();
    if (!wasWarm && exchanges >= warmUp) before = await settled(server, settleMs);
    if (rounds % furnishRounds === 0) {
      await scene.replaceSignedOut();
      await scene.furnish();
    }
  }

  let held = '';
  await until(
    'the server holds what it held before',
    async () => {
      const now = await server.holdings();
      const kept = (Object.keys(maxGrowth) as (keyof typeof maxGrowth)[]).filter((name) => now[name] - before[name] > maxGrowth[name]);
      held = kept.map((name) => `${name}: ${before[name]} before, ${now[name]} after`).join('; ');
      return held === '';
    },
    settleMs,
  ).catch(() => {
    throw new Finding('held', `The server holds what it used, ${exchanges} exchanges of --seed ${seed}: ${held}`);
  });
  const after = await server.holdings();
  const unreached = rootFields.filter((field) => !reached.has(field));
  return { exchanges, unreached, memoryBytes: { before: before.memoryBytes, after: after.memoryBytes } };
}

function nextExchange(scene: Scene, fuzzer: DocumentFuzzer, random: () => number): Exchange {
  const chance = random();
  if (chance < 0.15) return rawHttp(scene, random);
  if (chance < 0.22) return rawFrames(scene, random);
  if (chance < 0.45) return overSocket(scene, fuzzer, random);
  return overHttp(scene, fuzzer.next(random() < 0.15 ? OperationTypeNode.SUBSCRIPTION : undefined), random);
}

/** The least time that the exchange took by the server's own doing, when it was repeated alone. */
async function leastOwnMs(server: ServerUnderTest, exchange: Exchange): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats && leastMs > lateMs; i += 1) {
    const run = async () => {
      await exchange.run().catch(requireTimeout);
      await askHealth(server.url).catch(requireTimeout);
    };
    leastMs = Math.min(leastMs, await ownMsOf(() => server.processes, run));
  }
  return leastMs;
}

/** The holdings once no socket and no feed of an earlier exchange is left. */
async function settled(server: ServerUnderTest, timeoutMs: number): Promise<Awaited<ReturnType<ServerUnderTest['holdings']>>> {
  let holdings = await server.holdings();
  const isSettled = async () => {
    holdings = await server.holdings();
    return holdings.feeds === 0 && holdings.sockets === 0;
  };
  await until('no feed and no socket is held', isSettled, timeoutMs).catch((error: Error) => {
    throw new Finding('held', `${error.message} ${JSON.stringify(holdings)}`);
  });
  return holdings;
}

const isTimeout = ({ name }: Error) => name === 'AbortError' || name === 'TimeoutError';

function requireTimeout(error: Error): void {
  if (!isTimeout(error)) throw error;
}

async function askHealth(url: string): Promise<void> {
  const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(60_000) });
  await response.text();
}
