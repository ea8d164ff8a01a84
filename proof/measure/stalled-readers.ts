// Measures what clients that stop reading cost a node and the other clients. A command of its own, on Linux:
//   node proof/measure/stalled-readers.ts [clients] [messages a second] [seconds] [copies]
// The same load on one room three times: before there are such clients, while they do not read, and after they are closed.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import * as gql from '../../tests/gql/graphql.ts';
import { type ServerNode, startNode } from '../../tests/support/node.ts';
import { startPostgres } from '../../tests/support/postgres.ts';
import { until } from '../../tests/support/process.ts';
import { startRedis } from '../../tests/support/redis.ts';
import { Guest } from '../../tests/support/server.ts';
import { RawSocket } from '../../tests/support/socket.ts';
import { range } from '../../tests/support/storage.ts';

const bodyLength = 2000;
const watchers = 5;
const senders = 4;
/** Maximum number of pending sends. If more were needed, the rate is not reached. */
const maxUnanswered = 64;

/** Memory that grows by no more than this has levelled out. */
const levelMiB = 5;
const maxWarmUpMs = 240_000;
/** Time for the node to stop serving them, and again to close them. */
const giveUpMs = 120_000;

const watchCopies = (copies: number) => `subscription ($roomId: ID!) {
  messageAdded(roomId: $roomId) { number ${range(1, copies).map((i) => `body${i}: body`)} }
}`;

export interface Options {
  readonly clients: number;
  readonly perSecond: number;
  /** How often an event contains its message for a client that stops, so that fewer messages fill its buffers. */
  readonly copies: number;
  /** Minimum duration of the load before clients stop, and for which the memory of the node must have been level. */
  readonly warmUpSeconds: number;
  /** Minimum duration of the load while they are stopped. */
  readonly seconds: number;
  /** Waits until the node has closed all of them. */
  readonly untilClosed: boolean;
}

/** One part of a run. */
export interface Figures {
  readonly what: string;
  readonly seconds: number;
  readonly messagesPerSecond: number;
  readonly answerP99Ms: number;
  readonly deliveryP99Ms: number;
  readonly maxRssMiB: number;
  readonly lastRssMiB: number;
}

interface Counts {
  readonly waitingBytes: number;
  readonly backpressured: number;
  readonly stalled: number;
}

export interface Measured {
  readonly parts: readonly Figures[];
  readonly maxWaitingBytes: number;
  readonly backpressured: number;
  readonly closed: number;
  /** Sends that were refused with UNAVAILABLE, because the node could not write them in time. */
  readonly refused: number;
  /** Whether each reader received everything that was sent, in order. */
  readonly complete: boolean;
}

export async function measureStalledReaders(node: ServerNode, options: Options): Promise<Measured> {
  const ada = await Guest.signIn(node.url);
  const roomId = await ada.createRoom();
  await using stack = new AsyncDisposableStack();
  const connect = async () => stack.use(await RawSocket.signedIn(node.url, ada.token));
  const watch = print(gql.MessageAddedDocument);
  const start = (await ada.must(gql.RoomViewDocument, { id: roomId })).room?.messages.syncCursor as string;

  let answers: number[] = [];
  let deliveries: number[] = [];
  let sent = 0;
  let refused = 0;
  /** The number of the newest message that was acknowledged. */
  let newest = 0;
  let stopped = false;

  const seen = range(1, watchers).map(() => 0);
  let inOrder = true;
  for (const [index] of seen.entries()) {
    const socket = await connect();
    socket.subscribe('watch', watch, { roomId, after: start });
    void (async () => {
      for (;;) {
        const { number, body } = (await socket.next()).payload.data.messageAdded;
        inOrder &&= number === (seen[index] as number) + 1;
        seen[index] = number;
        deliveries.push(performance.now() - Number.parseFloat(body));
      }
    })().catch(() => {});
  }

  const requestedAt = new Map<string, number>();
  const sockets = await Promise.all(range(1, senders).map(connect));
  const send = print(gql.SendMessageDocument);
  for (const socket of sockets) {
    void (async () => {
      for (;;) {
        const { id, type, payload } = await socket.next();
        if (type !== 'next') continue;
        if (payload.errors) refused += 1;
        else {
          answers.push(performance.now() - (requestedAt.get(id as string) as number));
          newest = Math.max(newest, payload.data.sendMessage.message.number);
        }
        requestedAt.delete(id as string);
      }
    })().catch((error: unknown) => stopped || console.error(error));
  }
  const sending = (async () => {
    let due = performance.now();
    while (!stopped) {
      for (; due < performance.now(); due += 1000 / options.perSecond) {
        if (requestedAt.size >= maxUnanswered) continue;
        sent += 1;
        const id = String(sent);
        const now = performance.now();
        requestedAt.set(id, now);
        sockets[sent % senders]?.subscribe(id, send, { input: { roomId, body: `${now} `.padEnd(bodyLength, 'x') } });
      }
      await sleep(5);
    }
  })();

  const counts = async () => {
    const ready = await fetch(new URL('/ready', node.url));
    return ((await ready.json()) as { counts: { sockets: Counts } }).counts.sockets;
  };
  let maxWaitingBytes = 0;
  const parts: Figures[] = [];
  /** Observes until `done`, which is called every half second. */
  async function observe(what: string, done: (forMs: number) => Promise<boolean>): Promise<void> {
    [answers, deliveries] = [[], []];
    const from = performance.now();
    const rss: number[] = [];
    do {
      await sleep(500);
      rss.push(readRssMiB(node));
      maxWaitingBytes = Math.max(maxWaitingBytes, (await counts()).waitingBytes);
    } while (!(await done(performance.now() - from)));
    const seconds = (performance.now() - from) / 1000;
    parts.push({
      what,
      seconds: Math.round(seconds),
      messagesPerSecond: Math.round(answers.length / seconds),
      answerP99Ms: Math.round(percentile(answers, 0.99)),
      deliveryP99Ms: Math.round(percentile(deliveries, 0.99)),
      maxRssMiB: Math.round(Math.max(...rss)),
      lastRssMiB: Math.round(rss.at(-1) as number),
    });
  }
  const after = (seconds: number) => async (forMs: number) => forMs >= seconds * 1000;

  // The memory of a new process grows without load, up to what its garbage collector allows.
  let level = { rssMiB: 0, sinceMs: 0 };
  await observe('nobody has stopped', async (forMs) => {
    const rssMiB = readRssMiB(node);
    if (rssMiB > level.rssMiB + levelMiB) level = { rssMiB, sinceMs: forMs };
    return forMs - level.sinceMs >= options.warmUpSeconds * 1000 || forMs > maxWarmUpMs;
  });
  const joining = (async () => {
    for (const _ of range(1, options.clients)) {
      const socket = await connect();
      socket.subscribe('watch', watchCopies(options.copies), { roomId });
      socket.pause();
    }
  })();
  const all = (figure: 'backpressured' | 'stalled') => async (forMs: number) => {
    if (forMs > giveUpMs) throw new Error(`Not all clients have been ${figure}: ${JSON.stringify(await counts())}.`);
    const now = await counts();
    return Math.max(now[figure], now.stalled) >= options.clients;
  };
  await observe(`${options.clients} do not read: their kernels fill`, all('backpressured'));
  await joining;
  const { seconds } = parts.at(-1) as Figures;
  await observe(`${options.clients} are served no further`, options.untilClosed ? all('stalled') : after(options.seconds - seconds));
  if (options.untilClosed) {
    const spent = seconds + (parts.at(-1) as Figures).seconds;
    // What is pending at a close is kept for 5 seconds.
    await sleep(6000);
    await observe(`${options.clients} are closed`, after(Math.max(20, options.seconds - spent)));
  }
  const { backpressured, stalled } = await counts();
  stopped = true;
  await sending;
  await until('all is answered', () => requestedAt.size === 0, 60_000);
  const complete = () => inOrder && seen.every((number) => number >= newest);
  await until('those who read have everything', complete, 60_000).catch(() => {});
  return { parts, maxWaitingBytes, backpressured, closed: stalled, refused, complete: complete() };
}

function readRssMiB(node: ServerNode): number {
  const [, kiB] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${node.program.child.pid}/status`, 'utf8')) ?? [];
  return Number(kiB) / 1024;
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

if (import.meta.main) {
  const [clients = 20, perSecond = 500, seconds = 120, copies = 1] = process.argv.slice(2).map(Number);
  await using postgres = await startPostgres();
  await using redis = await startRedis();
  await using node = await startNode({ DATABASE_URL: postgres.url, REDIS_URL: redis.url, IDENTITY: 'guest', LOG_LEVEL: 'warn' });
  const measured = await measureStalledReaders(node, { clients, perSecond, copies, warmUpSeconds: 30, seconds, untilClosed: true });
  const [before, ...rest] = measured.parts as [Figures, ...Figures[]];
  console.table(measured.parts.map(({ what, ...figures }) => ({ ...figures, grownMiB: figures.maxRssMiB - before.maxRssMiB, what })));
  const growth = Math.max(...rest.map(({ maxRssMiB }) => maxRssMiB)) - before.maxRssMiB;
  const left = (rest.at(-1) as Figures).lastRssMiB - before.maxRssMiB;
  console.log(
    `At most ${(measured.maxWaitingBytes / 2 ** 20).toFixed(1)} MiB waited; subscriptions had to wait ${measured.backpressured} times.`,
  );
  console.log(`Memory grew by ${growth} MiB while they did not read, and by ${left} MiB once ${measured.closed} were closed.`);
  if (measured.refused > 0) console.log(`${measured.refused} sends were refused: choose a lower rate.`);
  console.log(measured.complete ? 'Those who read missed nothing.' : 'Those who read MISSED something.');
}
