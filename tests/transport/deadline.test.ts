// A query whose deadline has passed, or whose client has left, runs no longer in the database.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Lock } from '../support/lock.ts';
import { createDatabase } from '../support/postgres.ts';
import { until } from '../support/process.ts';
import { Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';

describe('a query', () => {
  const cleanup = new AsyncDisposableStack();
  let databaseUrl: string;
  let server: Server;
  let ada: Guest;
  before(async () => {
    databaseUrl = cleanup.use(await createDatabase()).url;
    server = cleanup.use(await startServer({ env: { DATABASE_URL: databaseUrl, IDENTITY: 'guest' } }));
    ada = await Guest.signIn(server.url);
  });
  after(() => cleanup.disposeAsync());

  /** Ten lists of rooms. Four of them are read at once. */
  const query = `{ ${range(1, 10).map((i) => `list${i}: rooms(first: ${i}) { nodes { id } }`)} }`;
  const lockRooms = () => Lock.take(databaseUrl, 'lock table rooms in access exclusive mode');
  const allWait = (lock: Lock) => until('four reads wait', async () => (await lock.waiting()) === 4);
  const noneWaits = (lock: Lock) => until('no read waits', async () => (await lock.waiting()) === 0, 1500);

  it('whose deadline has passed is cancelled, and its other reads are not started', async () => {
    await using lock = await lockRooms();
    const asking = ada.ask(query);
    await allWait(lock);
    const { errors } = await asking;
    assert.equal(errors?.[0]?.extensions.code, 'UNAVAILABLE');
    await noneWaits(lock);
    // Nothing follows the cancelled reads.
    for (const _ of range(1, 10)) assert.equal(await lock.waiting(), 0);
  });

  it('whose client has left is cancelled at once', async () => {
    await using lock = await lockRooms();
    const leaving = new AbortController();
    const asking = fetch(ada.url, {
      ...{ method: 'POST', signal: leaving.signal, body: JSON.stringify({ query }) },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}` },
    });
    await allWait(lock);
    leaving.abort();
    await assert.rejects(asking);
    await noneWaits(lock);
  });

  it('that is completed on a WebSocket is cancelled at once', async () => {
    await using lock = await lockRooms();
    using socket = await RawSocket.signedIn(ada.url, ada.token);
    socket.subscribe('1', query);
    await allWait(lock);
    socket.send({ type: 'complete', id: '1' });
    await noneWaits(lock);
    await lock.release();
    assert.equal((await socket.ask('2', '{ viewer { id } }')).type, 'next');
  });

  it('whose WebSocket is closed is cancelled at once', async () => {
    await using lock = await lockRooms();
    const socket = await RawSocket.signedIn(ada.url, ada.token);
    socket.subscribe('1', query);
    await allWait(lock);
    socket.close();
    await noneWaits(lock);
  });

  it('that was cancelled does not cancel those of the same viewer after it', async () => {
    const lock = await lockRooms();
    const leaving = new AbortController();
    const asking = fetch(`${ada.url}?query=${encodeURIComponent(query)}`, {
      ...{ signal: leaving.signal, headers: { authorization: `Bearer ${ada.token}` } },
    });
    await allWait(lock);
    leaving.abort();
    await assert.rejects(asking);
    await lock[Symbol.asyncDispose]();
    for (const _ of range(1, 20)) await ada.must(query);
  });
});
