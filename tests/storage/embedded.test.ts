// The embedded database: one process at a time opens its folder, and its thread neither blocks the server nor is missed.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sql } from 'kysely';
import { ConfigError } from '../../src/config.ts';
import { openStorage } from '../../src/storage/database.ts';
import { EmbeddedDialect } from '../../src/storage/embedded-dialect.ts';
import { EmbeddedThreads } from '../../src/storage/embedded-threads.ts';
import { DatabaseFailure } from '../../src/storage/failure.ts';
import { openKysely, ping } from '../../src/storage/kysely.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { createGuest } from '../../src/storage/users.ts';
import { createDataFolder } from '../support/data-template.ts';
import { collectLog } from '../support/log.ts';
import { startNode, startProgram } from '../support/node.ts';
import { until } from '../support/process.ts';
import { silentLog } from '../support/server.ts';
import { range } from '../support/storage.ts';

describe('the data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gapless-data-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  // The trap: two processes open one PGlite folder without an error, and each loses the other's rows.
  it('is refused to a second process with a sentence, and free again once the first was killed with -9', async () => {
    const dataDir = join(folder, 'shared');
    const sentence = `DATA_DIR ${dataDir} is in use by another Gapless: stop that one, or give this one a folder of its own.\n`;
    const first = await startNode({ DATA_DIR: dataDir });
    try {
      const second = startProgram({ DATA_DIR: dataDir, PORT: '0' });
      assert.equal(await second.exited, 1);
      assert.equal(second.output(), sentence);
      await assert.rejects(openStorage({ dataDir }, silentLog), { message: sentence.trim() });
    } finally {
      await first.program.stop('SIGKILL');
    }
    await using storage = await openStorage({ dataDir }, silentLog);
    // Within one process it is no different.
    await assert.rejects(openStorage({ dataDir }, silentLog), ConfigError);
    await ping(storage.db);
  });

  it('is refused with a sentence where it is a file', async () => {
    const dataDir = join(folder, 'file');
    writeFileSync(dataDir, '');
    await assert.rejects(
      openStorage({ dataDir }, silentLog),
      (error) => error instanceof ConfigError && error.message.startsWith(`DATA_DIR ${dataDir} cannot be used: `),
    );
  });
});

describe('the thread of the embedded database', { timeout: 240_000 }, () => {
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  const createFolder = () => {
    const folder = createDataFolder();
    folders.push(folder);
    return folder;
  };

  it('leaves the thread that serves free while a statement runs', async () => {
    await using storage = await openStorage({ dataDir: createFolder() }, silentLog);
    await ping(storage.db);
    const order: string[] = [];
    const timer = setTimeout(() => order.push('timer'), 10);
    await sql`select count(*) from generate_series(1, 2000000)`.execute(storage.db);
    clearTimeout(timer);
    order.push('statement');
    assert.deepEqual(order, ['timer', 'statement']);
  });

  it('fails with DatabaseFailure when it dies, is started again, and has lost nothing that was committed', async () => {
    const { log, lines } = collectLog();
    const threads = new EmbeddedThreads(createFolder(), log);
    const db = openKysely(new EmbeddedDialect(() => threads.current()));
    await using _db = { [Symbol.asyncDispose]: () => threads.close() };
    await migrate(db);
    const { id } = await createGuest(db, 'Ada');
    const running = sql`select count(*) from generate_series(1, 50000000)`.execute(db);
    const changing = db.transaction().execute(async (trx) => {
      await trx.updateTable('users').set({ name: 'Grace' }).execute();
      const dying = threads.current();
      dying.terminate();
      await until('the thread has ended', () => dying.failure !== undefined);
      // The rest of the transaction must not run, and be committed, in the next thread.
      await trx.deleteFrom('users').execute();
    });
    threads.current().terminate();
    await assert.rejects(running, DatabaseFailure);
    await assert.rejects(changing, DatabaseFailure);
    const answers = () =>
      ping(db).then(
        () => true,
        () => false,
      );
    await until('the database answers again', answers, 60_000);
    const rows = await db.selectFrom('users').select(['id', 'name']).execute();
    assert.deepEqual(rows, [{ id, name: 'Ada' }]);
    assert.ok(lines.some(({ level, msg }) => level === 'error' && msg === 'the embedded database is opened again'));
    await assert.rejects(db.insertInto('users').values({ id, name: 'Ada', nameFolded: 'ADA' }).execute(), {
      code: '23505',
      constraint: 'users_pkey',
    });
  });

  it('is started again after an error that ends PostgreSQL, which PGlite would not answer after', async () => {
    await using storage = await openStorage({ dataDir: createFolder() }, silentLog);
    const { db } = storage;
    const { id } = await createGuest(db, 'Ada');
    await sql`create function recurse(i integer) returns integer language sql as 'select recurse(i + 1)'`.execute(db);
    // The stack overflows, and the next statement fails with a PANIC.
    await sql`select recurse(1)`.execute(db).catch(() => {});
    const isKept = () =>
      db
        .selectFrom('users')
        .select('id')
        .execute()
        .then(
          (rows) => rows[0]?.id === id,
          () => false,
        );
    await until('the database answers again', isKept, 60_000);
    for (const _ of range(1, 3)) assert.ok(await isKept());
  });

  it('runs nothing of others inside a transaction', async () => {
    await using storage = await openStorage({ dataDir: createFolder() }, silentLog);
    const { db } = storage;
    const order: string[] = [];
    const changing = db.transaction().execute(async (trx) => {
      for (const step of ['first', 'second', 'third']) {
        await ping(trx);
        await new Promise(setImmediate);
        order.push(step);
      }
    });
    const other = ping(db).then(() => order.push('other'));
    await Promise.all([changing, other]);
    assert.deepEqual(order, ['first', 'second', 'third', 'other']);
  });
});
