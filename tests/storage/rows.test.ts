// Rows by id: one query for all ids of one turn, and never a row that was read before it was requested.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Rows } from '../../src/storage/rows.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { until } from '../support/process.ts';
import { observeStatements, openTestStorage, range, type TestStorage } from '../support/storage.ts';

describe('rows by id', () => {
  let opened: TestStorage;
  let db: Db;
  let queries = 0;
  before(async () => {
    opened = await openTestStorage('PGlite');
    db = opened.db;
  });
  after(() => opened[Symbol.asyncDispose]());

  it('need one query for all requests of one turn, and each request gets its own rows', async () => {
    const users = await Promise.all(range(1, 20).map((i) => createGuest(db, `Guest ${i}`)));
    const rows = new Rows(observeStatements(db, () => (queries += 1)));
    queries = 0;
    const found = await Promise.all(users.map(({ id }, i) => rows.users([id, `user_${i}`, (users[0] as (typeof users)[0]).id])));
    for (const [i, ofOne] of found.entries()) assert.deepEqual(ofOne, [users[i], users[0]]);
    assert.equal(queries, 1);
  });

  it('that are requested during a query are loaded by a later query', async () => {
    const { id } = await createGuest(db, 'Before');
    const rows = new Rows(observeStatements(db, () => (queries += 1)));
    queries = 0;
    const older = rows.users([id]);
    await until('the query is under way', () => queries === 1);
    const updating = db.updateTable('users').set({ name: 'After' }).where('id', '=', id).execute();
    const newer = updating.then(() => rows.users([id]));
    const names = (await Promise.all([older, newer])).map(([user]) => user?.name);
    assert.equal(names[1], 'After');
    assert.equal(queries, 2);
  });

  it('that are requested one after the other during a query are loaded together by the next one', async () => {
    const users = await Promise.all(range(1, 10).map((i) => createGuest(db, `Guest ${i}`)));
    const rows = new Rows(observeStatements(db, () => (queries += 1)));
    queries = 0;
    const found = [rows.users([(users[0] as (typeof users)[0]).id])];
    // Polled without a pause, because the query must not end before the others are requested.
    while (queries === 0) await new Promise(process.nextTick);
    for (const { id } of users.slice(1)) {
      found.push(rows.users([id]));
      await new Promise(process.nextTick);
    }
    assert.deepEqual((await Promise.all(found)).flat(), users);
    assert.equal(queries, 2);
  });
});
