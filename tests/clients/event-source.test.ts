// The EventSource of a browser: what it does with what the server tells it.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { print } from 'graphql';
import * as gql from '../gql/graphql.ts';
import { openBrowser } from '../support/browser.ts';
import { EventStream } from '../support/event-stream.ts';
import { Person } from '../support/person.ts';
import { until } from '../support/process.ts';
import { type Server, startServer } from '../support/server.ts';

const cleanup = new AsyncDisposableStack();
let server: Server;
let ada: Person;
before(async () => {
  server = cleanup.use(await startServer({ env: { RATE_LIMITS: '1', RATE_LIMIT_SOCKETS_OF_USER: '3' } }));
  const browser = cleanup.adopt(await openBrowser(), (each) => each.close());
  ada = cleanup.use(await Person.arrive(browser, new URL(server.url).origin, 'Ada'));
});
after(() => cleanup.disposeAsync());

/** What the page has seen of its EventSource. */
interface Seen {
  readonly opened: number;
  readonly failed: number;
  readonly numbers: readonly number[];
}

it('reconnects after the time that a postponed stream tells it, and after a restart, and receives each message once', async () => {
  const guest = await ada.guest(server.url);
  const roomId = await guest.createRoom();
  // With the socket of the page, these are all that the user may have open.
  const streams = [await EventStream.watch(guest, { roomId }), await EventStream.watch(guest, { roomId })];
  for (const stream of streams) await stream.next();
  const query = new URLSearchParams({ query: print(gql.MessageAddedDocument), variables: JSON.stringify({ roomId }) });
  await ada.page.evaluate((address) => {
    const seen = { opened: 0, failed: 0, numbers: [] as number[] };
    const source = new globalThis.EventSource(address);
    source.addEventListener('open', () => (seen.opened += 1));
    source.addEventListener('error', () => (seen.failed += 1));
    source.addEventListener('next', ({ data }) => seen.numbers.push(JSON.parse(data).data.messageAdded.number));
    Object.assign(globalThis, { seen, source });
  }, `${server.url}?${query}`);
  const seen = (): Promise<Seen> => ada.page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  const isClosed = () => ada.page.evaluate(() => (globalThis as unknown as { source: EventSource }).source.readyState === 2);

  await until('the stream is postponed', async () => (await seen()).failed === 1);
  assert.equal(await isClosed(), false);
  const postponedAtMs = performance.now();
  for (const stream of streams) stream.close();
  await until('it reconnects', async () => (await seen()).opened === 2, 40_000);
  // A browser would wait for 3 s by itself.
  assert.ok(performance.now() - postponedAtMs > 8000);
  await guest.send(roomId, 'one');
  await until('the first message arrives', async () => (await seen()).numbers.length === 1);

  await server.restart();
  await guest.send(roomId, 'two');
  await until('the second message arrives', async () => (await seen()).numbers.length > 1, 40_000);
  await guest.send(roomId, 'three');
  await until('the third message arrives', async () => (await seen()).numbers.length > 2);
  assert.deepEqual((await seen()).numbers, [1, 2, 3]);
});

it('does not reconnect after its stream was completed, or was refused', async () => {
  const guest = await ada.guest(server.url);
  const roomId = await guest.createRoom();
  const query = (id: string) => new URLSearchParams({ query: print(gql.MessageAddedDocument), variables: JSON.stringify({ roomId: id }) });
  const open = (id: string) =>
    ada.page.evaluate(
      (address) => {
        const opened = { requests: 0, source: new globalThis.EventSource(address) };
        opened.source.addEventListener('open', () => (opened.requests += 1));
        return void Object.assign(globalThis, { opened });
      },
      `${server.url}?${query(id)}`,
    );
  const state = () =>
    ada.page.evaluate(() => {
      const { opened } = globalThis as unknown as { opened: { requests: number; source: EventSource } };
      return { requests: opened.requests, readyState: opened.source.readyState };
    });
  await open(roomId);
  await until('the stream is open', async () => (await state()).readyState === 1);
  await guest.must('mutation ($roomId: ID!) { deleteRoom(input: { roomId: $roomId }) { deletedRoomId } }', { roomId });
  await until('it is closed', async () => (await state()).readyState === 2);
  assert.equal((await state()).requests, 1);
  await open('room_that_does_not_exist');
  await until('it is closed', async () => (await state()).readyState === 2);
  assert.equal((await state()).requests, 0);
});
