// The embedded server is killed with SIGKILL repeatedly under load. It keeps what it acknowledged, in order and without a gap.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseIn } from '../src/storage/data-folder.ts';
import * as gql from './gql/graphql.ts';
import { createDataFolder } from './support/data-template.ts';
import { startNode, startProgram } from './support/node.ts';
import { freePort, until } from './support/process.ts';
import { chooseSeed, randomFrom } from './support/random.ts';
import { Guest } from './support/server.ts';
import { range } from './support/storage.ts';

const kills = 12;
/** Each nth kill hits a server that is still starting. */
const duringStart = 4;
const senders = 8;

interface Sending {
  readonly body: string;
  /** The acknowledged number. Undefined if the server died before it answered. */
  number?: number;
}

interface Room {
  readonly owner: Guest;
  readonly roomId: string;
}

it('starts after it was killed during its first start, while it created the database', { timeout: 240_000 }, async () => {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'gapless-first-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const env = { DATA_DIR: folder, PORT: String(await freePort()), LOG_LEVEL: 'warn' };
  const files = () => (existsSync(databaseIn(folder)) ? readdirSync(databaseIn(folder), { recursive: true }).length : 0);
  for (const least of [1, 300]) {
    const starting = startProgram(env);
    await until('a part of the database is there', () => files() >= least, 60_000);
    await starting.stop('SIGKILL');
  }
  await using node = await startNode(env);
  await Guest.signIn(node.url);
});

it('keeps every acknowledged message, in order and without a gap, however often it is killed', { timeout: 280_000 }, async () => {
  const seed = chooseSeed('killing the embedded server');
  const random = randomFrom(seed);
  await using cleanup = new AsyncDisposableStack();
  const folder = createDataFolder();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const env = { DATA_DIR: folder, PORT: String(await freePort()), LOG_LEVEL: 'warn' };

  let room: Room | undefined;
  const sent: Sending[][] = range(1, senders).map(() => []);
  const stored: { number: number; body: string; cursor: string }[] = [];
  /** How long the last start took until the server was ready. */
  let startMs = 0;

  for (const kill of range(1, kills)) {
    if (kill % duringStart === 0) {
      const starting = startProgram(env);
      await sleep(random() * startMs);
      await starting.stop('SIGKILL');
      continue;
    }
    const from = performance.now();
    const node = await startNode(env);
    startMs = performance.now() - from;
    if (room === undefined) {
      const owner = await Guest.signIn(node.url);
      room = { owner, roomId: await owner.createRoom() };
    } else await readOn(room, stored);
    check(sent, stored);
    const before = acknowledged(sent);
    const sending = sent.map((own, sender) => sendUntilKilled(room as Room, own, sender));
    await until('something is acknowledged', () => acknowledged(sent) > before);
    await sleep(random() * 1000);
    await node.program.stop('SIGKILL');
    await Promise.all(sending);
  }

  await using _node = await startNode(env);
  assert.ok(room);
  // Once more from the start of the room.
  stored.length = 0;
  await readOn(room, stored);
  check(sent, stored);
  console.log(`${stored.length} messages were kept over ${kills} kills`);
  assert.ok(stored.length >= kills - kills / duringStart);
});

const acknowledged = (sent: Sending[][]) => sent.flat().filter(({ number }) => number !== undefined).length;

/** Sends one message after the other. The one that was under way at the last kill is retried with its clientMessageId. */
async function sendUntilKilled({ owner, roomId }: Room, own: Sending[], sender: number): Promise<void> {
  for (;;) {
    const last = own.at(-1);
    const sending: Sending = last && last.number === undefined ? last : { body: `${sender}: ${own.length + 1}` };
    if (sending !== last) own.push(sending);
    try {
      sending.number = (await owner.send(roomId, sending.body, sending.body)).message.number;
    } catch (error) {
      // A kill breaks connections. It does not explain an error that the server answers.
      if (error instanceof TypeError || error instanceof SyntaxError) return;
      throw error;
    }
  }
}

/** Reads the messages after the last known one. */
async function readOn({ owner, roomId }: Room, stored: { number: number; body: string; cursor: string }[]): Promise<void> {
  for (let more = true; more; ) {
    const after = stored.at(-1)?.cursor;
    const { room } = await owner.must(gql.RoomViewDocument, { id: roomId, first: 100, ...(after === undefined ? {} : { after }) });
    stored.push(...(room?.messages.edges ?? []).map(({ cursor, node }) => ({ cursor, number: node.number, body: node.body as string })));
    more = room?.messages.pageInfo.hasNextPage === true;
  }
}

function check(sent: Sending[][], stored: { number: number; body: string }[]): void {
  assert.deepEqual(
    stored.map(({ number }) => number),
    range(1, stored.length),
  );
  const numberOf = new Map(stored.map(({ body, number }) => [body, number]));
  assert.equal(numberOf.size, stored.length, 'a message is stored twice');
  for (const own of sent) {
    const numbers: number[] = [];
    for (const { body, number } of own) {
      const kept = numberOf.get(body);
      if (number !== undefined) assert.equal(kept, number, `"${body}" was acknowledged as ${number}`);
      if (kept !== undefined) numbers.push(kept);
    }
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  }
}
