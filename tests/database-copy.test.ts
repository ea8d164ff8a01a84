// A copy of a database, as a staging system has it, whose nodes use the same Redis as those of the original.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import pg from 'pg';
import { openStorage } from '../src/storage/database.ts';
import { DatabaseIdentity } from '../src/storage/database-identity.ts';
import { EventStream } from './support/event-stream.ts';
import { ManualClock } from './support/manual-clock.ts';
import { createDatabase } from './support/postgres.ts';
import { until } from './support/process.ts';
import { Guest, silentLog, startServer } from './support/server.ts';
import { range } from './support/storage.ts';

/** Copies a database that nobody uses. */
async function copyDatabase(url: string): Promise<{ url: string } & AsyncDisposable> {
  const copy = await createDatabase();
  const name = (each: string) => new URL(each).pathname.slice(1);
  const admin = new pg.Client(process.env['DATABASE_URL']);
  await admin.connect();
  await admin.query(`drop database ${name(copy.url)}`);
  await admin.query(`create database ${name(copy.url)} template ${name(url)}`);
  await admin.end();
  return copy;
}

const envOf = (url: string) => ({ DATABASE_URL: url, IDENTITY: 'guest', REDIS_URL: process.env['REDIS_URL'] as string });

describe('a copy of a database on the same Redis', { timeout: 120_000 }, () => {
  it('receives nothing of the original, and delivers its own messages', async () => {
    await using database = await createDatabase();
    const first = await startServer({ env: envOf(database.url) });
    const guest = await Guest.signIn(first.url);
    const roomId = await guest.createRoom();
    await guest.send(roomId, 'before the copy');
    await first[Symbol.asyncDispose]();
    await using copy = await copyDatabase(database.url);

    await using production = await startServer({ env: envOf(database.url) });
    await using staging = await startServer({ env: envOf(copy.url) });
    await using other = await startServer({ env: envOf(copy.url) });
    using stream = await EventStream.watch(guest.at(staging.url), { roomId });
    using cleanup = new DisposableStack();
    const redis = cleanup.adopt(new Redis(process.env['REDIS_URL'] as string), (client) => client.disconnect());
    const topicsOf = async () => (await redis.pubsub('CHANNELS', `gapless:*:room:${roomId}`)) as string[];
    await until('the room is watched', async () => stream.response.ok && (await topicsOf()).length === 1);
    using original = await EventStream.watch(guest.at(production.url), { roomId });
    await until('the topics of the two differ', async () => (await topicsOf()).length === 2);
    const { message } = await guest.at(production.url).send(roomId, 'of the original');
    assert.equal((await original.nextMessage()).id, message.id);
    for (const i of range(1, 3)) await guest.at(other.url).send(roomId, `of the copy ${i}`);
    for (const i of range(1, 3)) assert.equal((await stream.nextMessage()).body, `of the copy ${i}`);
    using _watch = await EventStream.watch(guest.at(other.url), { roomId });
    assert.equal((await topicsOf()).length, 2, 'nodes of one database agree');
  });
});

describe('the id of a database', () => {
  it('is the same for all nodes and after a restart, and another one in a copy', async () => {
    await using database = await createDatabase();
    const idsOf = async (url: string) => {
      await using storage = await openStorage({ databaseUrl: url, poolSize: 4 }, silentLog);
      const opened = await Promise.all(range(1, 4).map(() => DatabaseIdentity.open(storage.db)));
      for (const each of opened) each[Symbol.dispose]();
      return new Set(opened.map(({ id }) => id));
    };
    const original = await idsOf(database.url);
    assert.equal(original.size, 1);
    assert.deepEqual(await idsOf(database.url), original);
    await using copy = await copyDatabase(database.url);
    const copied = await idsOf(copy.url);
    assert.equal(copied.size, 1);
    assert.notDeepEqual(copied, original);
  });

  it('is read again, because another node may have renewed it', async () => {
    await using database = await createDatabase();
    await using storage = await openStorage({ databaseUrl: database.url, poolSize: 2 }, silentLog);
    const clock = new ManualClock();
    using identity = await DatabaseIdentity.open(storage.db, clock);
    await storage.db.updateTable('secrets').set({ value: 'elsewhere renewed' }).where('name', '=', 'database identity').execute();
    await clock.advance(5000);
    await until('the id is renewed', () => identity.id === 'renewed');
  });
});
