// `npm run fuzz -- --seconds 60 --seed 1`: random operations, messages and requests for a real server with the embedded database.
// Fails if it answers INTERNAL, ends, answers late by its own doing, or keeps the memory that it used.

import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OperationTypeNode } from 'graphql';
import { createDataFolder } from '../support/data-template.ts';
import { startNode } from '../support/node.ts';
import { pick, randomFrom } from '../support/random.ts';
import { Guest } from '../support/server.ts';
import { DocumentFuzzer } from './documents.ts';
import { type Exchange, exchangeMs, overHttp, overSocket, rawHttp } from './traffic.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const maxGrowthBytes = 200 * 1024 * 1024;
/** Exchanges before the memory is measured first. */
const warmUp = 100;
console.log(`fuzz: --seconds ${values.seconds} --seed ${seed}`);

const random = randomFrom(seed);
await using cleanup = new AsyncDisposableStack();
const folder = createDataFolder();
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const node = cleanup.use(await startNode({ DATA_DIR: folder, LOG_LEVEL: 'error', RATE_LIMITS: 'off' }));
const guests = [await Guest.signIn(node.url, 'Ada'), await Guest.signIn(node.url, 'Bob')] as const;
const [ada, bob] = guests;
const roomId = await ada.createRoom({ name: 'Open' });
const privateRoomId = await ada.createRoom({ name: 'Private', kind: 'PRIVATE' });
const { message } = await ada.send(roomId, 'Hello');
const fuzzer = new DocumentFuzzer(random, {
  ids: [roomId, privateRoomId, roomId, ada.userId, bob.userId, message.id, 'room_00000000000000000000000000', 'x'],
  cursors: [message.cursor],
});

/** The bytes that the server has in memory. */
const memoryBytes = () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.program.child.pid}/status`, 'utf8'))?.[1]) * 1024;

const toMiB = (bytes: number) => Math.round(bytes / 2 ** 20);

function nextExchange(): { exchange: Exchange; what: string } {
  const guest = pick(guests, random);
  const chance = random();
  if (chance < 0.15) return { exchange: rawHttp(guest, random), what: 'HTTP bytes' };
  if (chance < 0.4) return { exchange: overSocket(guest, fuzzer, random), what: 'a socket' };
  const operation = fuzzer.next(random() < 0.1 ? OperationTypeNode.SUBSCRIPTION : undefined);
  return { exchange: overHttp(guest, operation, random), what: `${operation.query} with ${JSON.stringify(operation.variables)}` };
}

const msOf = async (exchange: Exchange) => {
  const startMs = performance.now();
  const text = await exchange();
  return { ms: performance.now() - startMs, text };
};

const startBytes = memoryBytes();
let exchanges = 0;
let baseBytes = 0;
const endMs = performance.now() + Number(values.seconds) * 1000;
for (; performance.now() < endMs; exchanges += 1) {
  if (exchanges === warmUp) baseBytes = memoryBytes();
  const { exchange, what } = nextExchange();
  const fail = (how: string): never => {
    throw new Error(`Exchange ${exchanges} of --seed ${seed}: ${how}\n${what.slice(0, 3000)}\n${node.program.output().slice(-3000)}`);
  };
  const { ms, text } = await msOf(exchange).catch((error: unknown) => fail(String(error)));
  if (!node.program.running) fail('the server ended');
  if (/"code":"INTERNAL"/.test(text)) fail(`the answer is INTERNAL: ${text.slice(0, 1000)}`);
  // A busy machine delays one answer, and hardly the same one again.
  if (ms > exchangeMs && (await msOf(exchange)).ms > exchangeMs && (await msOf(exchange)).ms > exchangeMs)
    fail(`it took ${Math.round(ms)} ms`);
}
await sleep(2000);
const grownBytes = memoryBytes() - baseBytes;
console.log(
  `fuzz: ${exchanges} exchanges, memory ${toMiB(startBytes)} MiB at the start, ${toMiB(baseBytes)} MiB after ${warmUp}, and ${toMiB(grownBytes)} MiB more at the end`,
);
if (exchanges > warmUp && grownBytes > maxGrowthBytes) throw new Error('The server keeps memory that it used.');
if (node.program.output() !== '') throw new Error(`The server logged errors:\n${node.program.output().slice(0, 3000)}`);
