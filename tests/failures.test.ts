// The database fails in many ways, under subscribers of shared and of viewer-dependent results, over both transports, with
// and without the client kit. Everyone receives every message once, and nobody gets INTERNAL.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import * as gql from './gql/graphql.ts';
import { EventStream } from './support/event-stream.ts';
import { FailingDatabase, type Failure } from './support/failing-database.ts';
import { collectLog } from './support/log.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, type Server, startServer } from './support/server.ts';
import { range } from './support/storage.ts';
import { Watch } from './support/watch.ts';
import { quick, Watcher, ways } from './support/ways.ts';

/** SQLSTATEs of servers that refuse a connection or a statement: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const sqlStates = {
  '08006': 'connection failure',
  '0A000': 'feature not supported',
  '22012': 'division by zero',
  '25006': 'read only transaction',
  '26000': 'unknown prepared statement',
  '28P01': 'wrong password',
  '3D000': 'no such database',
  '40001': 'serialization failure',
  '40P01': 'deadlock',
  '42501': 'insufficient privilege',
  '42P01': 'no such table',
  '53300': 'too many connections',
  '54000': 'program limit exceeded',
  '55000': 'object not in prerequisite state',
  '57P03': 'cannot connect now',
  '58030': 'I/O error',
  F0000: 'configuration file error',
  XX000: 'internal error',
  ZZ999: 'a code that no version of PostgreSQL has',
};
const refusals = ['28P01', '3D000', '53300', '55000', '57P03', 'XX000'];

const failures: Record<string, Failure> = {
  ...Object.fromEntries(
    Object.entries(sqlStates).map(([sqlState, what]) => [`statements fail with ${what}`, { kind: 'fails statements', sqlState } as const]),
  ),
  ...Object.fromEntries(
    refusals.map((sqlState) => [`connections are refused with ${sqlState}`, { kind: 'refuses connections', sqlState } as const]),
  ),
  'connections are closed': { kind: 'closes' },
  'connections are reset': { kind: 'resets' },
  'connections answer garbage': { kind: 'answers garbage' },
};

const shared = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) { __typename cursor ... on MessageAdded { message { number body sender { name } } } }
}`;
const ofViewer = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor room { viewerMembership { role } } ... on MessageAdded { message { number body } }
  }
}`;
const query = '{ viewer { id } }' as unknown as TypedDocumentNode<unknown, never>;

interface RoomEvent {
  readonly __typename: string;
  readonly message?: { readonly number: number };
}

/** Collects the message numbers of an event stream until it ends. */
async function collect(stream: EventStream, numbers: number[]): Promise<void> {
  for (let event = await stream.nextData(); event?.data; event = await stream.nextData()) {
    const { data } = JSON.parse(event.data) as { data?: { roomEvents: RoomEvent } };
    numbers.push(...[data?.roomEvents.message?.number ?? []].flat());
  }
}

/** Tests mostly wait, so several run at a time, each with a server of its own whose database fails. */
const groups = range(0, 3).map((group) => Object.entries(failures).filter((_, index) => index % 4 === group));

const cleanup = new AsyncDisposableStack();
const { url } = cleanup.use(await createDatabase());
const env = { IDENTITY: 'guest', REDIS_URL: process.env['REDIS_URL'] as string };
/** A server whose database does not fail. Messages are sent here. */
const writing = cleanup.use(await startServer({ env: { ...env, DATABASE_URL: url } }));
const ada = await Guest.signIn(writing.url);
after(() => cleanup.disposeAsync());

describe('whatever way the database fails', { concurrency: true }, () => {
  for (const [index, group] of groups.entries()) describe(`(group ${index + 1})`, { concurrency: false }, () => testAll(group));
});

function testAll(group: [string, Failure][]): void {
  const { log, lines } = collectLog();
  let database: FailingDatabase;
  /** The server whose database fails. Everyone subscribes here. */
  let failing: Server;
  before(async () => {
    database = cleanup.use(await FailingDatabase.open(url));
    failing = cleanup.use(await startServer({ env: { ...env, DATABASE_URL: database.url }, log, backoff: quick }));
  });

  for (const [name, failure] of group) {
    it(`nothing is missed when ${name}`, { timeout: 60_000 }, async () => {
      await using stack = new AsyncDisposableStack();
      const roomId = await ada.createRoom();
      const { message } = await ada.send(roomId, 'before');
      const here = ada.at(failing.url);
      const variables = { roomId, after: message.cursor };
      const received: (() => (number | undefined)[])[] = [];
      for (const text of [shared, ofViewer]) {
        for (const way of Object.values(ways)) {
          const kit = stack.use(
            new Watcher(
              way(failing.url, () => ada.token),
              { query: text, variables },
            ),
          );
          received.push(() => kit.numbers);
        }
        const socket = stack.use(new Watch<{ roomEvents: RoomEvent }>(here, text, variables));
        received.push(() => socket.results.flatMap(({ roomEvents }) => roomEvents.message?.number ?? []));
        const stream = await EventStream.open(here, text, { variables });
        stack.defer(() => stream.close());
        const numbers: number[] = [];
        collect(stream, numbers).catch(() => {});
        received.push(() => numbers);
      }
      await ada.send(roomId, 'live');
      await until('every subscription is live', () => received.every((numbers) => numbers().length === 1));
      const retriesBefore = failing.app.liveRooms.counts.retries;
      database.fail(failure);
      const codes = new Set<string | undefined>();
      for (const i of range(1, 5)) {
        await ada.send(roomId, `while it fails ${i}`);
        for (const asked of [here.ask(query), here.ask(gql.EditMessageDocument, { messageId: message.id, body: `edited ${i}` })]) {
          codes.add((await asked).errors?.[0]?.extensions.code);
        }
        await sleep(100);
      }
      database.heal();
      await ada.send(roomId, 'after');
      await until('everyone has received every message', () => received.every((numbers) => numbers().length >= 7));
      // After this one, a second copy of an earlier message would have arrived.
      await ada.send(roomId, 'last');
      await until('everyone has received the last message', () => received.every((numbers) => numbers().includes(9)));
      for (const numbers of received) assert.deepEqual(numbers(), range(2, 9));
      const isRetried = failing.app.liveRooms.counts.retries > retriesBefore;
      assert.ok(codes.has('UNAVAILABLE') || isRetried, 'the failure had no effect');
      assert.ok(!codes.has('INTERNAL'), [...codes].join());
      const unforeseen = lines.filter(({ level, msg }) => level === 'error' && msg.includes('unforeseen'));
      assert.deepEqual(unforeseen, []);
    });
  }
}
