// Rows by id: one query for all that is asked for at once, and never an answer from before it was asked for.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { Rows } from '../../src/storage/rows.ts';
import type { Db } from '../../src/storage/tables.ts';
import { createGuest } from '../../src/storage/users.ts';
import { until } from '../support/process.ts';
import { openTestStorage, range, type TestStorage } from '../support/storage.ts';

describe('rows by id', () => {
  let opened: TestStorage;
  let db: Db;
  let queries = 0;
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      queries += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  before(async () => {
    opened = await openTestStorage('PGlite');
    db = opened.db;
  });
  after(() => opened[Symbol.asyncDispose]());

  it('are one query for all that is asked for in one turn, each answered with what it asked for', async () => {
    const users = await Promise.all(range(1, 20).map((i) => createGuest(db, `Guest ${i}`)));
    const rows = new Rows(db.withPlugin(counting));
    queries = 0;
    const found = await Promise.all(users.map(({ id }, i) => rows.users([id, `user_${i}`, (users[0] as (typeof users)[0]).id])));
    for (const [i, ofOne] of found.entries()) assert.deepEqual(ofOne, [users[i], users[0]]);
    assert.equal(queries, 1);
  });

  it('asked for while a query is under way are answered by a later query', async () => {
    const { id } = await createGuest(db, 'Before');
    const rows = new Rows(db.withPlugin(counting));
    queries = 0;
    const older = rows.users([id]);
    await until('the query is under way', () => queries === 1);
    const updating = db.updateTable('users').set({ name: 'After' }).where('id', '=', id).execute();
    const newer = updating.then(() => rows.users([id]));
    const names = (await Promise.all([older, newer])).map(([user]) => user?.name);
    assert.equal(names[1], 'After');
    assert.equal(queries, 2);
  });
});
